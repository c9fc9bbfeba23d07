// Calls on device memory that no backend of a group offers there: copied to the host, carried out
// by the group's own chain for host memory, copied back.
//
// In eager phases only: a captured graph cannot hold what the host does. The host waits for the
// stream's earlier work before, and for the copies after; later work on the stream finds the
// result. Thread rule: the group's.
#ifndef MUSTER_CORE_COMPOSE_STAGED_HPP
#define MUSTER_CORE_COMPOSE_STAGED_HPP

#include <vector>

#include "core/chain/chain.hpp"
#include "core/dispatch/group.hpp"
#include "muster/backend.h"

namespace muster {

// state: the muster_group.
muster_status* staged_through_host(muster_backend_group* state, const muster_call* call);

bool is_staged(const Candidate& candidate);
// Messages of one batch, all of them served so: no order among them, no deadlock.
muster_status* staged_batch(muster_group& group, const std::vector<muster_call>& messages);

// Of a call in a graph phase that nobody takes: the candidate that would stage it in an eager one;
// NULL: none would.
const Candidate* staged_when_eager(const Chain& chain, CellKey key, uint64_t bytes,
                                   uint32_t traits);

// Whether a group stages the calls that are made most: sums of floats on a stream.
bool sums_are_staged(const Chain& chain, muster_memory memory);

}  // namespace muster

#endif
