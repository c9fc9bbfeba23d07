#include "core/compose/compose.hpp"

#include "core/compose/moves.hpp"
#include "core/compose/reductions.hpp"
#include "core/compose/staged.hpp"

namespace muster {

ExecuteFunction composed_execute(Recipe recipe) {
  switch (recipe) {
    case Recipe::kAvgBySum:
      return avg_by_sum;
    case Recipe::kAsBytes:
      return as_bytes;
    case Recipe::kAllReduceByAllGather:
      return all_reduce_by_all_gather;
    case Recipe::kAllReduceByReduce:
      return all_reduce_by_reduce;
    case Recipe::kReduceByAllReduce:
      return reduce_by_all_reduce;
    case Recipe::kReduceScatterByAllReduce:
      return reduce_scatter_by_all_reduce;
    case Recipe::kReduceScattervByAllReduce:
      return reduce_scatterv_by_all_reduce;
    case Recipe::kFusedByAllReduce:
      return fused_by_all_reduce;
    case Recipe::kBroadcastByAllGather:
      return broadcast_by_all_gather;
    case Recipe::kAllGatherByAllGatherv:
      return all_gather_by_all_gatherv;
    case Recipe::kAllGatherByBroadcast:
      return all_gather_by_broadcast;
    case Recipe::kAllGathervByBroadcast:
      return all_gatherv_by_broadcast;
    case Recipe::kGatherByAllGather:
      return gather_by_all_gather;
    case Recipe::kGathervByAllGatherv:
      return gatherv_by_all_gatherv;
    case Recipe::kScatterByBroadcast:
      return scatter_by_broadcast;
    case Recipe::kScattervByBroadcast:
      return scatterv_by_broadcast;
    case Recipe::kAllToAllByAllGather:
      return all_to_all_by_all_gather;
    case Recipe::kAllToAllvByAllGatherv:
      return all_to_allv_by_all_gatherv;
    case Recipe::kBarrierByAllReduce:
      return barrier_by_all_reduce;
    case Recipe::kBarrierByAllGather:
      return barrier_by_all_gather;
    case Recipe::kStagedThroughHost:
      return staged_through_host;
    case Recipe::kEnd:
      break;
  }
  return nullptr;
}

void bind_composed(muster_group& group) {
  for (Candidate& candidate : group.chain.table.candidates) {
    if (candidate.backend != kComposed) continue;
    candidate.execute = composed_execute(static_cast<Recipe>(candidate.rule));
    candidate.state = reinterpret_cast<muster_backend_group*>(&group);
  }
}

}  // namespace muster
