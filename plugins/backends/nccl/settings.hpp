// The options of this backend, and NCCL's configuration of a communicator made from them.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_SETTINGS_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_SETTINGS_HPP

#include <cstdint>
#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/api.hpp"

namespace muster::nccl {

// Thread blocks of NCCL's kernels on symmetric memory: with its own choice they are slower than the
// ordinary kernels at 64 KiB to 512 KiB; with these faster everywhere, and the ordinary ones are as
// fast or faster too.
inline constexpr int kCtasWithWindows = 32;
// As many as NCCL has channels.
inline constexpr int kMostCtas = 64;

struct Settings {
  bool blocking = true;
  bool windows = false;
  int min_ctas = 0;  // 0: NCCL's choice
  int max_ctas = 0;
};

// Of a group; windows as its ranks can have them.
Settings settings_of(const plugin::Group& group, bool windows_possible);

// Borrows the name. version: the library's.
Config config_of(const Settings& settings, int version, const char* name);

}  // namespace muster::nccl

#endif
