#include <algorithm>

#include "config/config.hpp"
#include "config/glob.hpp"

namespace muster {
namespace {

// The sections that match a group, the least specific first.
std::vector<const GroupSettings*> sections_for(const Config& config, std::string_view group) {
  std::vector<const GroupSettings*> sections;
  for (const GroupSettings& section : config.groups) {
    const bool matches =
        is_exact(section.glob) ? section.glob == group : glob_matches(section.glob, group);
    if (matches) sections.push_back(&section);
  }
  std::stable_sort(sections.begin(), sections.end(),
                   [](const GroupSettings* a, const GroupSettings* b) {
                     return glob_rank(a->glob) < glob_rank(b->glob);
                   });
  return sections;
}

void lay_over(BackendSettings& below, const BackendSettings& above) {
  if (above.mode) below.mode = above.mode;
  if (above.priority) below.priority = above.priority;
  for (const auto& [name, option] : above.options) below.options[name] = option;
}

}  // namespace

BackendSettings backend_settings(const Config& config, const std::string& backend,
                                 std::string_view group) {
  BackendSettings settings;
  if (const auto found = config.backends.find(backend); found != config.backends.end()) {
    settings = found->second;
  }
  for (const GroupSettings* section : sections_for(config, group)) {
    const auto found = section->backends.find(backend);
    if (found != section->backends.end()) lay_over(settings, found->second);
  }
  return settings;
}

uint64_t group_timeout_ms(const Config& config, std::string_view group) {
  uint64_t timeout = config.group_timeout_ms.value;
  for (const GroupSettings* section : sections_for(config, group)) {
    if (section->timeout_ms) timeout = section->timeout_ms->value;
  }
  return timeout;
}

}  // namespace muster
