// The group of one rank: every operation as a local copy. A backend of its own in the chain
// ("self"), with no plugin behind it.
#ifndef MUSTER_CORE_COMPOSE_SELF_HPP
#define MUSTER_CORE_COMPOSE_SELF_HPP

#include <vector>

#include "core/chain/chain.hpp"
#include "core/dispatch/group.hpp"
#include "muster/backend.h"

namespace muster {

// For groups of one: everything on host memory, and what is a copy on the kinds of device memory
// whose bits are given.
ChainBackend self_chain_backend(uint64_t device_memory);
// An ExecuteFunction; the state is the muster_group. Send and recv to oneself outside a batch are
// refused before.
muster_status* self_execute(muster_backend_group* state, const muster_call* call);
// Pairs the sends of a batch with its receives, in order.
muster_status* self_batch(muster_group& group, const std::vector<muster_call>& calls);

}  // namespace muster

#endif
