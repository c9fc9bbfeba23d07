// What a rule takes: sizes exactly at their limits, multiples, places, phases, unsized calls.
#include <gtest/gtest.h>

#include "core/chain/match.hpp"
#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

Chain single(muster_rule rule, uint32_t ranks = 4,
             muster_determinism determinism = MUSTER_NONDETERMINISTIC) {
  return chain_of({backend_of("a", 50, {rule})}, {}, ranks, determinism);
}

bool takes(const Chain& chain, const CellKey& key, uint64_t bytes, uint32_t traits = kPlain) {
  return who(chain, key, bytes, traits) == "a";
}

TEST(ChainBands, GivenLimitsThenBothAreInclusiveAndOneBesideIsOut) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.bytes_from = 4096;
  rule.bytes_to = 65536;
  const Chain chain = single(rule);
  EXPECT_FALSE(takes(chain, kKey, 0));
  EXPECT_FALSE(takes(chain, kKey, 4095));
  EXPECT_TRUE(takes(chain, kKey, 4096));
  EXPECT_TRUE(takes(chain, kKey, 4097));
  EXPECT_TRUE(takes(chain, kKey, 65535));
  EXPECT_TRUE(takes(chain, kKey, 65536));
  EXPECT_FALSE(takes(chain, kKey, 65537));
  EXPECT_FALSE(takes(chain, kKey, kUnsized - 1));
}

TEST(ChainBands, GivenNoLimitsThenEverySizeIsTaken) {
  const Chain chain = single(rule_for(MUSTER_ALL_REDUCE));
  EXPECT_TRUE(takes(chain, kKey, 0));
  EXPECT_TRUE(takes(chain, kKey, kUnsized - 1));
}

TEST(ChainBands, GivenALowerLimitAndNoUpperOneThenTheLargestSizeIsTaken) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.bytes_from = 1;
  rule.bytes_to = UINT64_MAX;
  const Chain chain = single(rule);
  EXPECT_FALSE(takes(chain, kKey, 0));
  EXPECT_TRUE(takes(chain, kKey, 1));
  EXPECT_TRUE(takes(chain, kKey, kUnsized - 1));
}

TEST(ChainBands, GivenOneSizeOnlyThenItsNeighboursAreOut) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.bytes_from = rule.bytes_to = 8;
  const Chain chain = single(rule);
  EXPECT_FALSE(takes(chain, kKey, 7));
  EXPECT_TRUE(takes(chain, kKey, 8));
  EXPECT_FALSE(takes(chain, kKey, 9));
}

TEST(ChainBands, GivenAdjacentRulesOfTwoBackendsThenEachServesItsOwnSide) {
  muster_rule small = rule_for(MUSTER_ALL_REDUCE);
  small.bytes_to = 1024;
  small.bytes_from = 1;
  muster_rule large = rule_for(MUSTER_ALL_REDUCE);
  large.bytes_from = 1025;
  large.bytes_to = UINT64_MAX;
  const Chain chain = chain_of({backend_of("a", 50, {small}), backend_of("b", 50, {large})});
  EXPECT_EQ(who(chain, kKey, 0), "nobody");
  EXPECT_EQ(who(chain, kKey, 1024), "a");
  EXPECT_EQ(who(chain, kKey, 1025), "b");
}

TEST(ChainBands, GivenAMultipleThenOtherSizesFallToTheNextBackend) {
  muster_rule sixteens = rule_for(MUSTER_ALL_REDUCE);
  sixteens.bytes_multiple = 16;
  const Chain chain = chain_of(
      {backend_of("a", 90, {sixteens}), backend_of("b", 10, {rule_for(MUSTER_ALL_REDUCE)})});
  EXPECT_EQ(who(chain, kKey, 0), "a");
  EXPECT_EQ(who(chain, kKey, 15), "b");
  EXPECT_EQ(who(chain, kKey, 16), "a");
  EXPECT_EQ(who(chain, kKey, 17), "b");
  EXPECT_EQ(who(chain, kKey, 32), "a");
}

TEST(ChainBands, GivenAMultipleThenAnUnsizedCallIsRefusedForNobodyKnowsItsSize) {
  for (const uint64_t multiple : {2, 3, 5, 16, 255}) {
    muster_rule rule = rule_for(MUSTER_GATHERV);
    rule.flags = MUSTER_RULE_UNSIZED;
    rule.bytes_multiple = multiple;
    EXPECT_EQ(who(single(rule), key_of(MUSTER_GATHERV), kUnsized), "nobody") << multiple;
  }
}

TEST(ChainBands, GivenAPlaceThenOnlyCallsOfThatPlaceAreTaken) {
  muster_rule in = rule_for(MUSTER_ALL_REDUCE);
  in.place = MUSTER_PLACE_IN;
  muster_rule out = rule_for(MUSTER_ALL_REDUCE);
  out.place = MUSTER_PLACE_OUT;
  EXPECT_TRUE(takes(single(in), kKey, 64, kInPlace));
  EXPECT_FALSE(takes(single(in), kKey, 64, kPlain));
  EXPECT_FALSE(takes(single(out), kKey, 64, kInPlace));
  EXPECT_TRUE(takes(single(out), kKey, 64, kPlain));
}

TEST(ChainBands, GivenAPlaceThenRootedOperationsAndMessagesAreRefused) {
  muster_rule rule =
      rule_for_all(bits({MUSTER_REDUCE, MUSTER_BROADCAST, MUSTER_GATHER}) | kMessages);
  rule.flags = MUSTER_RULE_UNSIZED;
  rule.place = MUSTER_PLACE_OUT;
  for (const muster_op op : {MUSTER_REDUCE, MUSTER_BROADCAST, MUSTER_GATHER, MUSTER_SEND}) {
    EXPECT_EQ(match_cell(rule, key_of(op), 4, MUSTER_NONDETERMINISTIC), Mismatch::kPlace) << op;
  }
}

TEST(ChainBands, GivenASymmetricRuleThenOnlyRegisteredMemoryIsTaken) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.flags = MUSTER_RULE_SYMMETRIC;
  EXPECT_FALSE(takes(single(rule), kKey, 64, kPlain));
  EXPECT_TRUE(takes(single(rule), kKey, 64, kTraitOutOfPlace | kTraitStream));
}

TEST(ChainBands, GivenStreamsThenOnlyThoseAreTakenAndNoneMeansHostCalls) {
  muster_rule cuda = rule_for(MUSTER_ALL_REDUCE);
  cuda.streams = bits({MUSTER_STREAM_CUDA});
  constexpr uint32_t kOnCuda =
      kTraitOutOfPlace | kTraitNotSymmetric | (uint32_t{kTraitStream} << MUSTER_STREAM_CUDA);
  EXPECT_TRUE(takes(single(cuda), kKey, 64, kOnCuda));
  EXPECT_FALSE(takes(single(cuda), kKey, 64, kPlain));
  EXPECT_FALSE(takes(single(rule_for(MUSTER_ALL_REDUCE)), kKey, 64, kOnCuda));
}

TEST(ChainBands, GivenGroupSizesThenBothLimitsAreInclusive) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.ranks_from = 2;
  rule.ranks_to = 4;
  for (const auto& [ranks, expected] :
       {std::pair{1u, false}, {2u, true}, {3u, true}, {4u, true}, {5u, false}}) {
    EXPECT_EQ(takes(single(rule, ranks), kKey, 64), expected) << ranks;
  }
  rule.ranks_to = 0;
  EXPECT_TRUE(takes(single(rule, 100000), kKey, 64));
}

TEST(ChainBands, GivenADeterminismClassThenWeakerRulesAreOutBeforeAnySizeBand) {
  muster_rule fast = rule_for(MUSTER_ALL_REDUCE);
  fast.determinism = MUSTER_RUN_TO_RUN;
  fast.bytes_from = 1;
  fast.bytes_to = 1024;
  const muster_rule exact = rule_for(MUSTER_ALL_REDUCE);  // size-invariant
  const auto serves = [&](muster_determinism asked) {
    return who(chain_of({backend_of("a", 90, {fast}), backend_of("b", 10, {exact})}, {}, 4, asked),
               kKey, 64);
  };
  EXPECT_EQ(serves(MUSTER_NONDETERMINISTIC), "a");
  EXPECT_EQ(serves(MUSTER_RUN_TO_RUN), "a");
  EXPECT_EQ(serves(MUSTER_RANK_INVARIANT), "b");
  EXPECT_EQ(serves(MUSTER_SIZE_INVARIANT), "b");
  const Chain strict = chain_of({backend_of("a", 90, {fast}), backend_of("b", 10, {exact})}, {}, 4,
                                MUSTER_SIZE_INVARIANT);
  const uint32_t row = cell_index(0, kKey.phase, kKey.op, kKey.dtype, kKey.redop);
  EXPECT_EQ(strict.table.band(row, 64), strict.table.band(row, 1 << 20))
      << "the limits of a rule that is out are no edges";
}

TEST(ChainBands, GivenADeterminismClassThenFusedOperationsKeepItToo) {
  muster_rule rule = rule_for(MUSTER_FUSED_ALL_REDUCE_RMSNORM);
  rule.determinism = MUSTER_RANK_INVARIANT;
  const CellKey fused = key_of(MUSTER_FUSED_ALL_REDUCE_RMSNORM);
  EXPECT_TRUE(takes(single(rule, 4, MUSTER_RANK_INVARIANT), fused, 64));
  EXPECT_FALSE(takes(single(rule, 4, MUSTER_SIZE_INVARIANT), fused, 64));
}

TEST(ChainBands, GivenPhasesThenWarmUpAndCaptureAreOneClassAndPiecewiseAnother) {
  EXPECT_EQ(phase_class_of(MUSTER_GRAPH_WARMUP), phase_class_of(MUSTER_GRAPH_CAPTURE));
  const auto in = [&](uint64_t phases, PhaseClass phase) {
    muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
    rule.phases = phases;
    CellKey key = kKey;
    key.phase = phase;
    return takes(single(rule), key, 64);
  };
  EXPECT_TRUE(in(0, kPhaseEager));
  EXPECT_FALSE(in(0, kPhaseGraph));
  EXPECT_FALSE(in(0, kPhasePiecewise));
  const uint64_t graph = bits({MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE});
  EXPECT_FALSE(in(graph, kPhaseEager));
  EXPECT_TRUE(in(graph, kPhaseGraph));
  EXPECT_FALSE(in(graph, kPhasePiecewise));
  EXPECT_TRUE(in(bits({MUSTER_GRAPH_PIECEWISE}), kPhasePiecewise));
  EXPECT_FALSE(in(bits({MUSTER_GRAPH_CAPTURE}), kPhaseGraph)) << "half of a class is none of it";
}

TEST(ChainBands, GivenAnUnsizedCallThenOnlyRulesThatSaySoTakeIt) {
  muster_rule rule = rule_for(MUSTER_ALL_TO_ALLV);
  EXPECT_FALSE(takes(single(rule), key_of(MUSTER_ALL_TO_ALLV), kUnsized));
  EXPECT_TRUE(takes(single(rule), key_of(MUSTER_ALL_TO_ALLV), 64));
  rule.flags = MUSTER_RULE_UNSIZED;
  EXPECT_TRUE(takes(single(rule), key_of(MUSTER_ALL_TO_ALLV), kUnsized));
}

TEST(ChainBands, GivenMessagesThenSendReceiveAndBothShareOneRow) {
  muster_rule rule = rule_for_all(kMessages);
  rule.flags = MUSTER_RULE_UNSIZED;
  const Chain chain = single(rule);
  const Candidate* const send = find(chain, key_of(MUSTER_SEND), kUnsized);
  ASSERT_NE(send, nullptr);
  EXPECT_EQ(find(chain, key_of(MUSTER_RECV), kUnsized), send);
  EXPECT_EQ(find(chain, key_of(MUSTER_SEND_RECV), kUnsized), send);
}

TEST(ChainBands, GivenOnlySomeOfTheMessagesOrOnlySomeSizesThenNoneIsTaken) {
  muster_rule half = rule_for_all(bits({MUSTER_SEND, MUSTER_RECV}));
  half.flags = MUSTER_RULE_UNSIZED;
  EXPECT_EQ(match_cell(half, key_of(MUSTER_SEND), 4, MUSTER_NONDETERMINISTIC),
            Mismatch::kPointToPoint);
  EXPECT_EQ(match_cell(rule_for_all(kMessages), key_of(MUSTER_SEND), 4, MUSTER_NONDETERMINISTIC),
            Mismatch::kPointToPoint);
}

TEST(ChainBands, GivenAKindOfMemoryThatNoRuleNamesThenItHasNoRows) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.memory = bits({MUSTER_CUDA});
  const Chain chain = single(rule);
  CellKey key = kKey;
  EXPECT_FALSE(takes(chain, key, 64));
  key.memory = MUSTER_CUDA;
  EXPECT_TRUE(takes(chain, key, 64));
  EXPECT_EQ(chain.table.memory_slot[MUSTER_HIP], Table::kNoSlot);
  EXPECT_NE(chain.table.memory_slot[MUSTER_HOST], Table::kNoSlot) << "host is always there";
}

TEST(ChainBands, GivenDtypesAndReduceOperationsThenOnlyThoseAreTaken) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.dtypes = bits({MUSTER_F32});
  rule.redops = bits({MUSTER_SUM, MUSTER_MAX});
  const Chain chain = single(rule);
  EXPECT_TRUE(takes(chain, kKey, 64));
  EXPECT_TRUE(takes(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX), 64));
  EXPECT_FALSE(takes(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MIN), 64));
  EXPECT_FALSE(takes(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F64), 64));
  EXPECT_FALSE(takes(chain, key_of(MUSTER_REDUCE), 64));
}

TEST(ChainBands, GivenEveryOperationDtypeAndReduceOperationThenRowsDoNotOverlap) {
  std::vector<bool> used(cell::kPlane * kPhaseClassEnd * 2);
  for (uint32_t slot = 0; slot < 2; ++slot) {
    for (uint32_t phase = 0; phase < kPhaseClassEnd; ++phase) {
      for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
        if (op == MUSTER_RECV || op == MUSTER_SEND_RECV) continue;
        for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
          for (muster_redop redop = 0;
               redop < (op_reduces(op) ? muster_redop{MUSTER_REDOP_END} : 1u); ++redop) {
            const uint32_t row = cell_index(slot, static_cast<PhaseClass>(phase), op, dtype, redop);
            ASSERT_LT(row, used.size());
            ASSERT_FALSE(used[row]) << op << " " << dtype << " " << redop;
            used[row] = true;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace muster::testing
