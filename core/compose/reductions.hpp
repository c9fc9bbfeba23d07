// The execute functions of compositions, see recipes.hpp for what each is made of.
#ifndef MUSTER_CORE_COMPOSE_REDUCTIONS_HPP
#define MUSTER_CORE_COMPOSE_REDUCTIONS_HPP

#include "muster/backend.h"

namespace muster {

muster_status* avg_by_sum(muster_backend_group* state, const muster_call* call);
muster_status* all_reduce_by_all_gather(muster_backend_group* state, const muster_call* call);
muster_status* all_reduce_by_reduce(muster_backend_group* state, const muster_call* call);
muster_status* reduce_by_all_reduce(muster_backend_group* state, const muster_call* call);
muster_status* reduce_scatter_by_all_reduce(muster_backend_group* state, const muster_call* call);
muster_status* reduce_scatterv_by_all_reduce(muster_backend_group* state, const muster_call* call);
muster_status* fused_by_all_reduce(muster_backend_group* state, const muster_call* call);
muster_status* barrier_by_all_reduce(muster_backend_group* state, const muster_call* call);
muster_status* barrier_by_all_gather(muster_backend_group* state, const muster_call* call);

}  // namespace muster

#endif
