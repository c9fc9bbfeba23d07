// What a missing operation can be made of: the recipes, as data.
//
// A recipe serves an operation (of some dtypes and reduce operations) out of others that the chain
// has for every size. The compiler of the table picks the first usable recipe where no backend
// serves; execution is in compose.hpp. Pure; any thread.
#ifndef MUSTER_CORE_COMPOSE_RECIPES_HPP
#define MUSTER_CORE_COMPOSE_RECIPES_HPP

#include <cstdint>
#include <span>
#include <vector>

#include "core/chain/key.hpp"

namespace muster {

enum class Recipe : uint16_t {
  kAvgBySum,                  // op(avg) = op(sum), then divide
  kAsBytes,                   // moves of any dtype = moves of u8
  kAllReduceByAllGather,      // gather everybody's vector, reduce locally
  kAllReduceByReduce,         // reduce to rank 0, broadcast
  kReduceByAllReduce,         // all ranks compute, the root keeps
  kReduceScatterByAllReduce,  // all ranks compute, each keeps its part
  kReduceScattervByAllReduce,
  kFusedByAllReduce,      // all_reduce, then the norm kernel
  kBroadcastByAllGather,  // everybody sends, the root's is kept
  kAllGatherByAllGatherv,
  kAllGatherByBroadcast,  // one broadcast per rank
  kAllGathervByBroadcast,
  kGatherByAllGather,      // all ranks receive, the root keeps
  kGathervByAllGatherv,    // counts first, then as above
  kScatterByBroadcast,     // all ranks receive, each keeps its part
  kScattervByBroadcast,    // counts first, then as above
  kAllToAllByAllGather,    // everybody receives everything, keeps its column
  kAllToAllvByAllGatherv,  // counts first, then as above
  kBarrierByAllReduce,
  kBarrierByAllGather,
  kStagedThroughHost,  // device memory: the same call on host memory; where nothing else serves
  kEnd
};

// "all_gather" and so on: what composed(...) shows.
const char* recipe_name(Recipe recipe);

// The rows that a recipe needs to serve `key`; empty when the recipe does not apply to it.
std::vector<CellKey> recipe_bases(Recipe recipe, const CellKey& key);

}  // namespace muster

#endif
