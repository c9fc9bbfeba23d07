// The group of one rank: every operation as a local copy. A backend of its own in the chain
// ("self"), with no plugin behind it.
#ifndef MUSTER_CORE_COMPOSE_SELF_HPP
#define MUSTER_CORE_COMPOSE_SELF_HPP

#include <vector>

#include "core/chain/chain.hpp"
#include "muster/backend.h"

namespace muster {

// Everything, for host memory and groups of one.
ChainBackend self_chain_backend();
// An ExecuteFunction; needs no state. Send and recv to oneself outside a batch are refused before.
muster_status* self_execute(muster_backend_group* unused, const muster_call* call);
// Pairs the sends of a batch with its receives, in order.
muster_status* self_batch(const std::vector<muster_call>& calls);

}  // namespace muster

#endif
