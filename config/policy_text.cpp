#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "config/options.hpp"
#include "config/rule_text.hpp"

namespace muster {
namespace {

// Every setting of a backend that says something: a mode that is written as its default does not,
// where nothing lies below it.
void add_backends(const std::map<std::string, BackendSettings>& backends, const std::string& title,
                  bool over_others, std::string& text) {
  for (const auto& [id, backend] : backends) {
    const std::string prefix = fmt::format("{}backend.{}.", title, id);
    if (backend.mode && (over_others || backend.mode->value != Mode::kPreferred)) {
      text += fmt::format("{}mode = {}\n", prefix, mode_name(backend.mode->value));
    }
    if (backend.priority) text += fmt::format("{}priority = {}\n", prefix, backend.priority->value);
    for (const auto& [name, option] : backend.options) {
      text += fmt::format("{}options.{} = {}\n", prefix, name, quoted(option.value));
    }
  }
}

std::vector<std::reference_wrapper<const GroupSettings>> groups_by_name(const Config& config) {
  std::vector<std::reference_wrapper<const GroupSettings>> groups(config.groups.begin(),
                                                                  config.groups.end());
  std::sort(groups.begin(), groups.end(),
            [](const GroupSettings& a, const GroupSettings& b) { return a.glob < b.glob; });
  return groups;
}

// Calls `visit` with the source of everything that policy_text prints.
template <typename Visit>
void for_each_source(const Config& config, const Visit& visit) {
  const auto visit_backends = [&](const std::map<std::string, BackendSettings>& backends) {
    for (const auto& [id, backend] : backends) {
      if (backend.mode) visit(backend.mode->source);
      if (backend.priority) visit(backend.priority->source);
      for (const auto& [name, option] : backend.options) visit(option.source);
    }
  };
  for (const Option& option : options()) {
    if (option.scope == OptionScope::kAgreed) visit(option_source(config, option));
  }
  visit_backends(config.backends);
  for (const GroupSettings& group : config.groups) {
    if (group.timeout_ms) visit(group.timeout_ms->source);
    visit_backends(group.backends);
  }
  for (const PolicyRule& rule : config.rules) visit(rule.source);
}

}  // namespace

std::string policy_text(const Config& config) {
  std::string text;
  for (const Option& option : options()) {
    if (option.scope != OptionScope::kAgreed) continue;
    text += fmt::format("{} = {}\n", option.key, option_text(config, option));
  }
  add_backends(config.backends, "", false, text);
  for (const GroupSettings& group : groups_by_name(config)) {
    const std::string title = fmt::format("group.{}.", quoted(group.glob));
    if (group.timeout_ms)
      text += fmt::format("{}timeout_ms = {}\n", title, group.timeout_ms->value);
    add_backends(group.backends, title, true, text);
  }
  for (const PolicyRule& rule : config.rules) text += fmt::format("rule: {}\n", rule_text(rule));
  return text;
}

std::string group_policy_text(const Config& config, std::string_view group) {
  std::map<std::string, BackendSettings> backends;
  for (const auto& [id, settings] : config.backends) backends[id];
  for (const GroupSettings& section : config.groups) {
    for (const auto& [id, settings] : section.backends) backends[id];
  }
  for (auto& [id, settings] : backends) settings = backend_settings(config, id, group);
  std::string text = fmt::format("timeout_ms = {}\n", group_timeout_ms(config, group));
  add_backends(backends, "", false, text);
  for (PolicyRule rule : config.rules) {
    if (!rule.group.empty() && !glob_matches(rule.group, group)) continue;
    rule.group.clear();
    text += fmt::format("rule: {}\n", rule_text(rule));
  }
  return text;
}

std::string policy_sources(const Config& config) {
  std::vector<std::string> names;
  for_each_source(config, [&](const Source& source) {
    if (source.kind == Source::Kind::kDefault) return;
    const std::string name = source.kind == Source::Kind::kApi && source.name.empty()
                                 ? "the program's own text"
                                 : source.name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  });
  return names.empty() ? "defaults" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace muster
