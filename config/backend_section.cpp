#include <fmt/format.h>

#include <vector>

#include "config/backend_values.hpp"
#include "config/sections.hpp"
#include "core/base/names.hpp"

namespace muster {

ValueProblem unknown_key(std::string_view key, std::string_view section,
                         std::span<const std::string_view> known) {
  std::string_view nearest = nearest_name(key, known);
  for (size_t i = 0; i < known.size() && nearest.empty(); ++i) {
    if (known[i].starts_with(key)) nearest = known[i];  // "timeout" for "timeout_ms"
  }
  return {MUSTER_INVALID_ARGUMENT,
          section.empty() ? fmt::format("unknown key '{}'", key)
                          : fmt::format("unknown key '{}' in {}", key, section),
          nearest.empty() ? fmt::format("known keys: {}", fmt::join(known, ", "))
                          : fmt::format("did you mean '{}'?", nearest)};
}

void read_backend(const TomlNode& node, const std::string& section, FileContext& file,
                  BackendSettings& backend) {
  static constexpr std::string_view kKnown[] = {"mode", "priority", "options"};
  if (node.kind != TomlNode::Kind::kTable) {
    return file.problems.add(node.at, wrong_type(node.name, "a table", node.value));
  }
  for (const TomlNode& entry : node.children) {
    const Source source = file.source(entry.key);
    if (entry.name == "mode") {
      file.problems.add(entry.at, set_mode(backend, entry.value, source));
    } else if (entry.name == "priority") {
      file.problems.add(entry.at, set_priority(backend, entry.value, source));
    } else if (entry.name != "options") {
      file.problems.add(entry.key, unknown_key(entry.name, section, kKnown));
    } else if (entry.kind != TomlNode::Kind::kTable) {
      file.problems.add(entry.at, wrong_type("options", "a table", entry.value));
    } else {
      for (const TomlNode& option : entry.children) {
        file.problems.add(option.at, set_backend_option(backend, option.name, option.value,
                                                        file.source(option.key)));
      }
    }
  }
}

void read_backends(const TomlNode& node, const std::string& section, FileContext& file,
                   std::map<std::string, BackendSettings>& backends) {
  if (node.kind != TomlNode::Kind::kTable) {
    return file.problems.add(node.at, wrong_type(node.name, "a table", node.value));
  }
  for (const TomlNode& entry : node.children) {
    file.problems.add(entry.key, check_backend_id(entry.name));
    read_backend(entry, fmt::format("[{}.{}]", section, entry.name), file, backends[entry.name]);
  }
}

}  // namespace muster
