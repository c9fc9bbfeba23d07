// The entry record of the mpi plugin.
#include "muster/bootstrap.h"
#include "plugins/backends/mpi/backend.hpp"

extern "C" {
extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
}

MUSTER_PLUGIN_RECORD(muster_plugin_entry, muster::mpi::Backend, muster::mpi::Group, "mpi",
                     MUSTER_VERSION, "muster",
                     MUSTER_BACKEND_INTERFACE " " MUSTER_BOOTSTRAP_INTERFACE,
                     "LD_LIBRARY_PATH OPAL_PREFIX", "");
