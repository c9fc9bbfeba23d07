// The plugin between two guards: a runtime that is given this entry in place of the file sees the
// plugin, and every call across the boundary, of either side, is held against the tag lines of the
// headers.
//
// Looked at: functions of muster_host that are collective only inside group_connect,
// memory_register and capture_end, and those that are [group-serial] only inside a function of the
// group; [setup-thread] functions of an instance and [group-serial] ones of a group never two at
// once; nothing made by a group_prepare that failed. Any thread. One plugin per process, for as
// long as it lives.
#ifndef MUSTER_TESTS_KIT_CHECK_CHECKED_PLUGIN_HPP
#define MUSTER_TESTS_KIT_CHECK_CHECKED_PLUGIN_HPP

#include <string>

#include "muster/entry.h"

namespace muster::check {

// Throws NotOffered for a plugin that gives more than a backend: functions of other interfaces
// would get an instance that is not theirs.
const muster_entry* guard_plugin(const muster_entry& plugin);
// While true, the set-up of a group fails on its last rank once the plugin has prepared there.
void fail_set_up(bool fail);
// The first breach since then; "" for none.
std::string first_breach();

}  // namespace muster::check

#endif
