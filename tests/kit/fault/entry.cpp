// The entry record of the fault plugin, and by macros those of its siblings, which are refused.
#include "muster/entry.h"

#include "tests/kit/fault/backend.hpp"

#ifndef FAULT_ID
#define FAULT_ID "fault"
#endif
#ifndef FAULT_SYMBOL
#define FAULT_SYMBOL muster_plugin_entry
#endif
#ifndef FAULT_MAGIC
#define FAULT_MAGIC MUSTER_PLUGIN_MAGIC
#endif
#ifndef FAULT_MAJOR
#define FAULT_MAJOR MUSTER_ABI_MAJOR
#endif
#ifndef FAULT_MINOR
#define FAULT_MINOR MUSTER_ABI_MINOR
#endif
#ifndef FAULT_HOST_MINOR
#define FAULT_HOST_MINOR MUSTER_ABI_OLDEST_MINOR
#endif
#ifndef FAULT_TAG
#define FAULT_TAG MUSTER_BUILD_TAG
#endif

#ifdef FAULT_FOREIGN
extern "C" int FAULT_FOREIGN();
extern "C" __attribute__((used, visibility("hidden"))) int muster_fault_foreign() {
  return FAULT_FOREIGN();
}
#endif

extern "C" {
#ifdef FAULT_SECOND_SYMBOL
MUSTER_PLUGIN_EXPORT extern const int muster_fault_second;
const int muster_fault_second = 1;
#endif
MUSTER_PLUGIN_EXPORT extern const muster_entry FAULT_SYMBOL;
const muster_entry FAULT_SYMBOL = {FAULT_MAGIC,
                                   MUSTER_PLUGIN_ENTRY_SIZE,
                                   FAULT_MAJOR,
                                   FAULT_MINOR,
                                   FAULT_HOST_MINOR,
                                   FAULT_ID,
                                   "1.0.0",
                                   "muster::testing",
                                   FAULT_TAG,
                                   MUSTER_BACKEND_INTERFACE,
                                   "FAULT_PLUGIN",
                                   "",
                                   muster::fault::open,
                                   muster::fault::close,
                                   muster::fault::get_interface};
}
