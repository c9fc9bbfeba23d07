// The one place that opens plugins: libltdl, local symbols, resident, absolute path, one mutex; the
// true dlerror text on failure.
#ifndef MUSTER_CORE_DISCOVER_LOADER_HPP
#define MUSTER_CORE_DISCOVER_LOADER_HPP

#include <string>

#include "core/base/status.hpp"
#include "core/discover/discovery.hpp"
#include "muster/entry.h"

namespace muster {

// Opens a plugin that discovery found usable and checks that the entry in memory is the one that
// was judged. Opening twice gives the same entry; nothing is ever unloaded. Any thread.
Result<const muster_entry*> open_plugin(const FoundPlugin& plugin);

// Makes an entry that is linked into this process openable, under the unique absolute name that is
// returned: "/muster-in-process/<n>/<id>.so". The entry must live as long as the process. The same
// entry keeps its name. Any thread.
std::string preload_in_process(const muster_entry& entry);

}  // namespace muster

#endif
