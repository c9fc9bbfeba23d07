// The plugin between two guards: a runtime that is given this entry in place of the file sees the
// plugin, and every call across the boundary, of either side, is held against the tag lines of the
// headers.
//
// tag_lines.hpp says what is looked at; nothing may be made by a group_prepare that failed. Any
// thread. One plugin per process, for as long as it lives.
#ifndef MUSTER_TESTS_KIT_CHECK_CHECKED_PLUGIN_HPP
#define MUSTER_TESTS_KIT_CHECK_CHECKED_PLUGIN_HPP

#include <cstdint>
#include <string>

#include "muster/backend.h"
#include "muster/entry.h"

namespace muster::check {

// Throws NotOffered for a plugin that gives more than a backend: functions of other interfaces
// would get an instance that is not theirs.
const muster_entry* guard_plugin(const muster_entry& plugin);
// While true, the set-up of a group fails on its last rank once the plugin has prepared there.
void fail_set_up(bool fail);
// From now on the first group_prepare and the first group_destroy of rank 0 go before those of the
// other ranks, which stay away for limit_ms at the most; that is then a breach.
void one_by_one(const std::string& directory, uint64_t limit_ms);

// The plugin's own side of the group that this thread connected last, for calls that no runtime
// makes. Throws Failed when there is none.
struct ConnectedGroup {
  const muster_backend* backend;
  muster_backend_group* group;
};
ConnectedGroup connected_group();

}  // namespace muster::check

#endif
