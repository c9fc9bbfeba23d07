// A copy around the caches, one of several in a row: the stores of it are ordered before those that
// follow only by fence_copies(), for a fence between small copies costs more than they do.
#ifndef MUSTER_PLUGINS_SHM_UNFENCED_COPY_HPP
#define MUSTER_PLUGINS_SHM_UNFENCED_COPY_HPP

#include "muster/kernels.h"

namespace muster::shm {

// Like memcpy, of any length to any place; NULL where this processor has nothing better than that.
// Any thread.
muster_host_copy unfenced_copy();
// After the last of this thread, before anybody is told.
void fence_copies();

}  // namespace muster::shm

#endif
