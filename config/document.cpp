#include <algorithm>
#include <iterator>
#include <vector>

#include "config/options.hpp"
#include "config/sections.hpp"

namespace muster {
namespace {

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const Option& option : options()) {
    if (names.empty() || names.back() != option.section()) names.push_back(option.section());
  }
  return names;
}

std::vector<std::string_view> names_in(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Option& option : options()) {
    if (option.section() == section) names.push_back(option.name());
  }
  return names;
}

void read_options(const TomlNode& node, FileContext& file, Config& config) {
  if (node.kind != TomlNode::Kind::kTable) {
    return file.problems.add(node.at, wrong_type(node.name, "a table", node.value));
  }
  for (const TomlNode& entry : node.children) {
    // [group] holds an option, and a table per group.
    if (node.name == "group" && entry.kind == TomlNode::Kind::kTable) {
      read_group(entry, file, config);
      continue;
    }
    const Option* option = find_option(node.name + "." + entry.name);
    if (option == nullptr) {
      file.problems.add(entry.key,
                        unknown_key(entry.name, "[" + node.name + "]", names_in(node.name)));
      continue;
    }
    file.problems.add(entry.at,
                      set_option(config, *option, entry.value, file.source(entry.key), file.home));
  }
}

void read_rules(const TomlNode& node, FileContext& file, Config& config) {
  std::vector<PolicyRule> rules;
  if (node.kind != TomlNode::Kind::kArray) {
    return file.problems.add(
        node.at, ValueProblem{MUSTER_INVALID_ARGUMENT, "'rule' must be an array of tables",
                              "write [[rule]]"});
  }
  for (const TomlNode& element : node.children) {
    if (element.kind == TomlNode::Kind::kTable) {
      rules.push_back(read_rule(element, file));
    } else {
      file.problems.add(element.at, wrong_type("rule", "an array of tables", element.value));
    }
  }
  config.rules.insert(config.rules.begin(), std::make_move_iterator(rules.begin()),
                      std::make_move_iterator(rules.end()));
}

}  // namespace

void read_document(const TomlNode& root, FileContext& file, Config& config) {
  std::vector<std::string_view> sections = section_names();
  for (const TomlNode& node : root.children) {
    if (node.name == "backend") {
      read_backends(node, "backend", file, config.backends);
    } else if (node.name == "rule") {
      read_rules(node, file, config);
    } else if (std::find(sections.begin(), sections.end(), node.name) != sections.end()) {
      read_options(node, file, config);
    } else {
      sections.insert(sections.end(), {"backend", "rule"});
      file.problems.add(node.key, unknown_key(node.name, "", sections));
      sections.resize(sections.size() - 2);
    }
  }
}

}  // namespace muster
