#include "core/compose/recipes.hpp"

#include <array>

#include "core/kernels/registry.hpp"

namespace muster {
namespace {

struct Row {
  Recipe recipe;
  muster_op op;  // served
  const char* name;
};

constexpr std::array<Row, static_cast<size_t>(Recipe::kEnd)> kRows = {{
    {Recipe::kAvgBySum, MUSTER_OP_NONE, "sum"},
    {Recipe::kAsBytes, MUSTER_OP_NONE, "bytes"},
    {Recipe::kAllReduceByAllGather, MUSTER_ALL_REDUCE, "all_gather"},
    {Recipe::kAllReduceByReduce, MUSTER_ALL_REDUCE, "reduce+broadcast"},
    {Recipe::kReduceByAllReduce, MUSTER_REDUCE, "all_reduce"},
    {Recipe::kReduceScatterByAllReduce, MUSTER_REDUCE_SCATTER, "all_reduce"},
    {Recipe::kReduceScattervByAllReduce, MUSTER_REDUCE_SCATTERV, "all_reduce"},
    {Recipe::kFusedByAllReduce, MUSTER_FUSED_ALL_REDUCE_RMSNORM, "all_reduce+rmsnorm"},
    {Recipe::kBroadcastByAllGather, MUSTER_BROADCAST, "all_gather"},
    {Recipe::kAllGatherByAllGatherv, MUSTER_ALL_GATHER, "all_gatherv"},
    {Recipe::kAllGatherByBroadcast, MUSTER_ALL_GATHER, "broadcast"},
    {Recipe::kAllGathervByBroadcast, MUSTER_ALL_GATHERV, "broadcast"},
    {Recipe::kGatherByAllGather, MUSTER_GATHER, "all_gather"},
    {Recipe::kGathervByAllGatherv, MUSTER_GATHERV, "all_gather+all_gatherv"},
    {Recipe::kScatterByBroadcast, MUSTER_SCATTER, "broadcast"},
    {Recipe::kScattervByBroadcast, MUSTER_SCATTERV, "broadcast"},
    {Recipe::kAllToAllByAllGather, MUSTER_ALL_TO_ALL, "all_gather"},
    {Recipe::kAllToAllvByAllGatherv, MUSTER_ALL_TO_ALLV, "all_gather+all_gatherv"},
    {Recipe::kBarrierByAllReduce, MUSTER_BARRIER, "all_reduce"},
    {Recipe::kBarrierByAllGather, MUSTER_BARRIER, "all_gather"},
    {Recipe::kStagedThroughHost, MUSTER_OP_NONE, "host"},
}};

constexpr bool rows_in_order() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].recipe != static_cast<Recipe>(i)) return false;
  }
  return true;
}
static_assert(rows_in_order());

CellKey with(CellKey key, muster_op op, muster_dtype dtype, muster_redop redop) {
  key.op = op;
  key.dtype = dtype;
  key.redop = redop;
  return key;
}

// Whether every byte of the operands is moved by parts alone, so that they may lie in memory that
// this process cannot read.
constexpr bool leaves_data_to_parts(Recipe recipe) {
  return recipe == Recipe::kAsBytes || recipe == Recipe::kAllReduceByReduce ||
         recipe == Recipe::kAllGatherByAllGatherv || recipe == Recipe::kAllGatherByBroadcast ||
         recipe == Recipe::kAllGathervByBroadcast;
}

}  // namespace

const char* recipe_name(Recipe recipe) { return kRows[static_cast<size_t>(recipe)].name; }

std::vector<CellKey> recipe_bases(Recipe recipe, const CellKey& key) {
  const auto move = [&](muster_op op) { return with(key, op, key.dtype, MUSTER_REDOP_NONE); };
  const auto move_counts = [&](muster_op op) {
    return with(key, op, MUSTER_U64, MUSTER_REDOP_NONE);
  };
  const auto reduce = [&](muster_op op) { return with(key, op, key.dtype, key.redop); };
  const bool moves = !op_reduces(key.op) && key.op != MUSTER_BARRIER;
  if (recipe == Recipe::kStagedThroughHost) {
    if (key.memory == MUSTER_HOST || key.phase != kPhaseEager) return {};
    CellKey host = key;
    host.memory = MUSTER_HOST;
    return {host};
  }
  if (key.memory != MUSTER_HOST && !leaves_data_to_parts(recipe)) return {};

  if (recipe == Recipe::kAvgBySum) {
    // Not for 16-bit floats: the sum would be rounded before it is divided.
    const bool rounds_twice = key.dtype == MUSTER_F16 || key.dtype == MUSTER_BF16;
    if (key.redop != MUSTER_AVG || key.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || rounds_twice ||
        host_reduce(key.dtype, MUSTER_AVG) == nullptr) {
      return {};
    }
    return {with(key, key.op, key.dtype, MUSTER_SUM)};
  }
  if (recipe == Recipe::kAsBytes) {
    if (!moves || key.dtype == MUSTER_U8) return {};
    return {with(key, key.op, MUSTER_U8, MUSTER_REDOP_NONE)};
  }
  if (kRows[static_cast<size_t>(recipe)].op != key.op) return {};
  switch (recipe) {
    case Recipe::kAllReduceByAllGather:
      if (host_reduce(key.dtype, key.redop) == nullptr) return {};
      return {move(MUSTER_ALL_GATHER)};
    case Recipe::kAllReduceByReduce:
      return {reduce(MUSTER_REDUCE), move(MUSTER_BROADCAST)};
    case Recipe::kReduceByAllReduce:
    case Recipe::kReduceScatterByAllReduce:
    case Recipe::kReduceScattervByAllReduce:
      return {reduce(MUSTER_ALL_REDUCE)};
    case Recipe::kFusedByAllReduce:
      if (key.redop != MUSTER_SUM || host_rmsnorm(key.dtype) == nullptr) return {};
      return {reduce(MUSTER_ALL_REDUCE)};
    case Recipe::kBroadcastByAllGather:
    case Recipe::kGatherByAllGather:
    case Recipe::kAllToAllByAllGather:
      return {move(MUSTER_ALL_GATHER)};
    case Recipe::kAllGatherByAllGatherv:
      return {move(MUSTER_ALL_GATHERV)};
    case Recipe::kAllGatherByBroadcast:
    case Recipe::kAllGathervByBroadcast:
    case Recipe::kScatterByBroadcast:
      return {move(MUSTER_BROADCAST)};
    case Recipe::kScattervByBroadcast:
      return {move(MUSTER_BROADCAST), move_counts(MUSTER_BROADCAST)};
    case Recipe::kGathervByAllGatherv:
    case Recipe::kAllToAllvByAllGatherv:
      return {move(MUSTER_ALL_GATHERV), move_counts(MUSTER_ALL_GATHER)};
    case Recipe::kBarrierByAllReduce:
      return {with(key, MUSTER_ALL_REDUCE, MUSTER_U8, MUSTER_MAX)};
    case Recipe::kBarrierByAllGather:
      return {with(key, MUSTER_ALL_GATHER, MUSTER_U8, MUSTER_REDOP_NONE)};
    default:
      return {};
  }
}

}  // namespace muster
