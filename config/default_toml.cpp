#include <fmt/format.h>

#include "config/options.hpp"
#include "config/show.hpp"

namespace muster {
namespace {

constexpr const char* kIntroduction =
    R"(# Configuration of muster.
#
# Every setting stands here with its default, as a comment: remove the # in front of what is to be
# changed. Read in this order, later values going over earlier ones:
#   defaults, /etc/muster/muster.toml, ~/.config/muster/muster.toml, the file that MUSTER_CONFIG
#   names, environment variables, the program.
# The paths of plugins.path and the rules of later files come before those of earlier ones.
# `muster config show` prints every value and where it came from; `muster config check FILE` checks a
# file. "Agreed" settings must be alike on all ranks; ranks that differ are refused, and the files
# named.
#
# This file is generated: `muster config default`.
)";

constexpr const char* kBackends = R"(
# One section per backend, named by its id (`muster list`).
#   mode      required: an error when it cannot be used. preferred: a warning. optional: silent.
#             off: never used.
#   priority  0 to 100, over what the plugin says of itself. The highest goes first.
#   options   handed to the plugin, which says what it takes: `muster inspect`.
# Variables: MUSTER_BACKEND_SHM_MODE, MUSTER_BACKEND_SHM_PRIORITY, MUSTER_BACKEND_SHM_OPTIONS_<NAME>.
#[backend.shm]
#mode = "preferred"
#priority = 80

# Settings of some groups only. A name, or a pattern with * and ?; a name goes before a pattern, a
# longer text before the first * or ? before a shorter one.
#[group."moe*"]
#timeout_ms = 120000
#[group."moe*".backend.shm]
#priority = 20

# Rules: the first one that matches a call and has the field decides, field by field. Each key may be
# left out.
#   op, dtype, redop, memory  a name or several: op = "all_reduce", dtype = ["f16", "bf16"]
#   bytes, ranks              a range, both ends inclusive: "..1MiB", "64K..", "4K..1M", "2..8", 4
#   group                     a name or pattern
#   prefer                    ids of backends, the best first
#   forbid                    ids of backends that never serve such a call
#[[rule]]
#op = ["all_gather", "reduce_scatter"]
#bytes = "..1MiB"
#prefer = ["shm"]
#forbid = ["mpi"]
)";

// As comment lines of at most 100 columns.
std::string comment(std::string_view text) {
  constexpr size_t kWidth = 98;
  std::string lines;
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kWidth) end = text.rfind(' ', kWidth);
    lines += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string default_toml() {
  const Config defaults;
  std::string text = kIntroduction;
  std::string_view section;
  for (const Option& option : options()) {
    if (option.section() != section) {
      section = option.section();
      text += fmt::format("\n[{}]\n", section);
    } else {
      text += '\n';
    }
    text += comment(option.help);
    text += fmt::format("# {}; {}, {}; {}\n", accepted_values(option), level_name(option.level),
                        scope_name(option.scope), variable_of(option));
    text += fmt::format("#{} = {}\n", option.name(), option_text(defaults, option));
  }
  return text + kBackends;
}

}  // namespace muster
