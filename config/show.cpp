#include "config/show.hpp"

#include <fmt/format.h>

#include <charconv>

#include "config/options.hpp"
#include "config/rule_text.hpp"
#include "config/value.hpp"

namespace muster {
namespace {

// Options of backends are kept as text; integers and booleans are shown without quotes.
std::string shown(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool plain =
      text == "true" || text == "false" ||
      (error == std::errc() && end == text.data() + text.size() && std::to_string(number) == text);
  return plain ? text : quoted(text);
}

ConfigEntry entry(std::string key, std::string value, const Source& source) {
  return {std::move(key),
          std::move(value),
          source.text(),
          source.kind == Source::Kind::kDefault,
          "user",
          "agreed",
          {},
          {}};
}

// "backend.shm.priority" is set by "MUSTER_BACKEND_SHM_PRIORITY".
std::string variable_of_key(const std::string& key) {
  std::string variable = "MUSTER_" + key;
  for (char& c : variable) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '.') c = '_';
  }
  return variable;
}

void add_backends(const std::map<std::string, BackendSettings>& backends, const std::string& title,
                  std::vector<ConfigEntry>& entries) {
  for (const auto& [id, backend] : backends) {
    const std::string prefix = fmt::format("{}backend.{}.", title, id);
    const size_t first = entries.size();
    if (backend.mode) {
      entries.push_back(
          entry(prefix + "mode", quoted(mode_name(backend.mode->value)), backend.mode->source));
    }
    if (backend.priority) {
      entries.push_back(entry(prefix + "priority", std::to_string(backend.priority->value),
                              backend.priority->source));
    }
    for (const auto& [name, option] : backend.options) {
      entries.push_back(entry(prefix + "options." + name, shown(option.value), option.source));
    }
    // The settings of groups have no variables.
    for (size_t i = first; i < entries.size() && title.empty(); ++i) {
      entries[i].variable = variable_of_key(entries[i].key);
    }
  }
}

}  // namespace

std::vector<ConfigEntry> config_entries(const Config& config) {
  std::vector<ConfigEntry> entries;
  for (const Option& option : options()) {
    const Source& source = option_source(config, option);
    entries.push_back({std::string(option.key), option_text(config, option), source.text(),
                       source.kind == Source::Kind::kDefault, level_name(option.level),
                       scope_name(option.scope), variable_of(option), std::string(option.help)});
  }
  add_backends(config.backends, "", entries);
  for (const GroupSettings& group : config.groups) {
    const std::string title = fmt::format("group.{}.", quoted(group.glob));
    if (group.timeout_ms) {
      entries.push_back(entry(title + "timeout_ms", std::to_string(group.timeout_ms->value),
                              group.timeout_ms->source));
    }
    add_backends(group.backends, title, entries);
  }
  for (size_t i = 0; i < config.rules.size(); ++i) {
    entries.push_back(
        entry(fmt::format("rule[{}]", i), rule_text(config.rules[i]), config.rules[i].source));
  }
  return entries;
}

}  // namespace muster
