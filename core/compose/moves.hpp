// The execute functions of compositions, see recipes.hpp for what each is made of.
#ifndef MUSTER_CORE_COMPOSE_MOVES_HPP
#define MUSTER_CORE_COMPOSE_MOVES_HPP

#include "muster/backend.h"

namespace muster {

muster_status* as_bytes(muster_backend_group* state, const muster_call* call);
muster_status* broadcast_by_all_gather(muster_backend_group* state, const muster_call* call);
muster_status* all_gather_by_all_gatherv(muster_backend_group* state, const muster_call* call);
muster_status* all_gather_by_broadcast(muster_backend_group* state, const muster_call* call);
muster_status* all_gatherv_by_broadcast(muster_backend_group* state, const muster_call* call);
muster_status* gather_by_all_gather(muster_backend_group* state, const muster_call* call);
muster_status* gatherv_by_all_gatherv(muster_backend_group* state, const muster_call* call);
muster_status* scatter_by_broadcast(muster_backend_group* state, const muster_call* call);
muster_status* scatterv_by_broadcast(muster_backend_group* state, const muster_call* call);
muster_status* all_to_all_by_all_gather(muster_backend_group* state, const muster_call* call);
muster_status* all_to_allv_by_all_gatherv(muster_backend_group* state, const muster_call* call);

}  // namespace muster

#endif
