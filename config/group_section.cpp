#include <fmt/format.h>

#include <algorithm>

#include "config/options.hpp"
#include "config/sections.hpp"

namespace muster {

void read_group(const TomlNode& node, FileContext& file, Config& config) {
  static constexpr std::string_view kKnown[] = {"timeout_ms", "backend"};
  if (node.name.empty()) {
    return file.problems.add(node.key,
                             ValueProblem{MUSTER_INVALID_ARGUMENT, "a group without a name", {}});
  }
  auto group = std::find_if(config.groups.begin(), config.groups.end(),
                            [&](const GroupSettings& other) { return other.glob == node.name; });
  if (group == config.groups.end()) {
    group = config.groups.insert(group, GroupSettings{});
    group->glob = node.name;
  }
  group->source = file.source(node.key);
  const std::string section = fmt::format("group.{}", quoted(node.name));
  for (const TomlNode& entry : node.children) {
    if (entry.name == "backend") {
      read_backends(entry, section + ".backend", file, group->backends);
    } else if (entry.name == "timeout_ms") {
      // The limits are those of the option for all groups.
      Config scratch;
      const Source source = file.source(entry.key);
      auto problem = set_option(scratch, *find_option("group.timeout_ms"), entry.value, source, {});
      file.problems.add(entry.at, std::move(problem));
      group->timeout_ms = scratch.group_timeout_ms;
    } else {
      file.problems.add(entry.key, unknown_key(entry.name, "[" + section + "]", kKnown));
    }
  }
}

}  // namespace muster
