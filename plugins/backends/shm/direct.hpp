// A reduction whose operands all ranks can look into and write to: each rank reduces one slice and
// puts it into the results of all. Nothing is staged, nothing is collected, and the ranks meet at
// the beginning and at the end only.
//
// Against a slice per rank that the others collect, each result is written once, by stores that
// need not wait for anybody, and nothing that was just written is read again.
#ifndef MUSTER_PLUGINS_SHM_DIRECT_HPP
#define MUSTER_PLUGINS_SHM_DIRECT_HPP

#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/reduction.hpp"

namespace muster::shm {

// This rank's part. state.peer_send and state.peer_recv: where the operands of the others lie; none
// is missing. The caller lets the ranks meet before and after. Thread rule: [group-serial].
void reduce_into_all(State& state, const Reduction& reduction);

}  // namespace muster::shm

#endif
