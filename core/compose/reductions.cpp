// Compositions of operations that reduce, and of barrier.
#include "core/compose/reductions.hpp"

#include <vector>

#include "core/compose/parts.hpp"
#include "core/kernels/registry.hpp"

namespace muster {

muster_status* avg_by_sum(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  muster_call sum = *call;
  sum.redop = MUSTER_SUM;
  MUSTER_PART(run_part(group, sum));
  if (call->op == MUSTER_REDUCE && call->root != group.rank) return nullptr;
  const void* const sources[] = {call->recv};
  host_reduce(call->dtype, MUSTER_AVG)(call->recv, sources, 1, call->count, nullptr, group.size);
  return nullptr;
}

muster_status* all_reduce_by_all_gather(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t bytes = call->count * dtype_size(call->dtype);
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kAllReduceByAllGather, bytes * group.size, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHER);
  gather.recv = all;
  gather.scalar = nullptr;
  MUSTER_PART(run_part(group, gather));
  if (bytes == 0) return nullptr;
  std::vector<const void*> sources(group.size);
  for (uint32_t r = 0; r < group.size; ++r) sources[r] = all + r * bytes;
  host_reduce(call->dtype, call->redop)(call->recv, sources.data(), group.size, call->count,
                                        call->scalar, call->redop == MUSTER_AVG ? group.size : 1);
  return nullptr;
}

muster_status* all_reduce_by_reduce(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  muster_call reduce = part_of(*call, MUSTER_REDUCE);
  reduce.root = 0;
  MUSTER_PART(run_part(group, reduce));
  muster_call broadcast = part_of(*call, MUSTER_BROADCAST);
  broadcast.root = 0;
  broadcast.send = call->recv;
  broadcast.scalar = nullptr;
  return run_part(group, broadcast);
}

muster_status* reduce_by_all_reduce(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  muster_call all = part_of(*call, MUSTER_ALL_REDUCE);
  char* result = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kReduceByAllReduce,
                           call->count * dtype_size(call->dtype), &result));
  // Into scratch everywhere, also on the root: in place or not is part of what ranks must have
  // alike.
  all.recv = result;
  MUSTER_PART(run_part(group, all));
  if (call->root == group.rank)
    copy_bytes(call->recv, result, call->count * dtype_size(call->dtype));
  return nullptr;
}

muster_status* reduce_scatter_by_all_reduce(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t part_bytes = call->count * dtype_size(call->dtype);
  char* result = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kReduceScatterByAllReduce, part_bytes * group.size,
                           &result));
  muster_call all = part_of(*call, MUSTER_ALL_REDUCE);
  all.recv = result;
  all.count = call->count * group.size;
  MUSTER_PART(run_part(group, all));
  copy_bytes(call->recv, result + group.rank * part_bytes, part_bytes);
  return nullptr;
}

muster_status* reduce_scatterv_by_all_reduce(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  uint64_t total = 0;
  for (uint32_t r = 0; r < group.size; ++r) total += call->recv_counts[r];
  char* result = nullptr;
  MUSTER_PART(
      take_scratch(group, *call, Recipe::kReduceScattervByAllReduce, total * element, &result));
  muster_call all = part_of(*call, MUSTER_ALL_REDUCE);
  all.recv = result;
  all.count = total;
  MUSTER_PART(run_part(group, all));
  copy_bytes(call->recv, result + displacement_of(call->recv_counts, nullptr, group.rank) * element,
             call->recv_counts[group.rank] * element);
  return nullptr;
}

muster_status* fused_by_all_reduce(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const muster_fused_rmsnorm& fused = *call->fused;
  const uint64_t rows = call->count / fused.hidden;
  muster_call all = part_of(*call, MUSTER_ALL_REDUCE);
  if (fused.quant_group == 0) {  // the sum fits where the result goes
    MUSTER_PART(run_part(group, all));
    if (rows == 0) return nullptr;
    host_rmsnorm(call->dtype)(call->recv, fused.residual_out, call->recv, fused.residual,
                              fused.weight, rows, fused.hidden, fused.epsilon);
    return nullptr;
  }
  char* sum = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kFusedByAllReduce,
                           call->count * dtype_size(call->dtype), &sum));
  all.recv = sum;
  MUSTER_PART(run_part(group, all));
  if (rows == 0) return nullptr;
  host_rmsnorm_quant(call->dtype)(static_cast<uint8_t*>(call->recv), fused.scale_out,
                                  fused.residual_out, sum, fused.residual, fused.weight, rows,
                                  fused.hidden, fused.quant_group, fused.epsilon);
  return nullptr;
}

muster_status* barrier_by_all_reduce(muster_backend_group* state, const muster_call* call) {
  uint8_t mine = 0;
  uint8_t all = 0;
  muster_call reduce = part_of(*call, MUSTER_ALL_REDUCE);
  reduce.dtype = MUSTER_U8;
  reduce.redop = MUSTER_MAX;
  reduce.send = &mine;
  reduce.recv = &all;
  reduce.count = 1;
  return run_part(group_of(state), reduce);
}

muster_status* barrier_by_all_gather(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  uint8_t mine = 0;
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kBarrierByAllGather, group.size, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHER);
  gather.dtype = MUSTER_U8;
  gather.send = &mine;
  gather.recv = all;
  gather.count = 1;
  return run_part(group, gather);
}

}  // namespace muster
