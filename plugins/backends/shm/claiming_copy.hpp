// A copy into memory that another core has read: each line is claimed some time before it is
// written. A store waits until the other core has given the line up, and stores wait for each
// other; asked for ahead, several lines are on their way at once.
#ifndef MUSTER_PLUGINS_SHM_CLAIMING_COPY_HPP
#define MUSTER_PLUGINS_SHM_CLAIMING_COPY_HPP

#include "muster/kernels.h"

namespace muster::shm {

// Like memcpy, for this processor; NULL where it has nothing better than that. Any thread.
muster_host_copy claiming_copy();

}  // namespace muster::shm

#endif
