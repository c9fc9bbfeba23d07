// Copies that claim lines for this core some time before they come to them.
//
// Of the destination, where another core has read it: a store waits until the other core has given
// the line up, and stores wait for each other; asked for ahead, several lines are on their way at
// once. Of the source, where another core has written it and this one writes there next: the line
// comes as one to write to, and the way to ask for it again is saved.
#ifndef MUSTER_PLUGINS_SHM_CLAIMING_COPY_HPP
#define MUSTER_PLUGINS_SHM_CLAIMING_COPY_HPP

#include "muster/kernels.h"

namespace muster::shm {

// Like memcpy, for this processor; NULL where it has nothing better than that. Any thread.
muster_host_copy claiming_copy();
// The same, claiming the source.
muster_host_copy taking_over_copy();
// Claims the lines of some memory, and goes on before they have come.
void claim_lines(const void* memory, uint64_t bytes);

}  // namespace muster::shm

#endif
