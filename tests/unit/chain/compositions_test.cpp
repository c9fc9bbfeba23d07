// Where compositions appear in the table: only where no backend takes the call, pass by pass.
#include <gtest/gtest.h>

#include "core/compose/recipes.hpp"
#include "core/kernels/registry.hpp"
#include "tests/unit/chain/recipe_keys.hpp"
#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

class ChainRecipe : public ::testing::TestWithParam<uint16_t> {};

TEST_P(ChainRecipe, GivenItsBasesAndNoMoreThenItServesAndWithoutAnyOfThemItDoesNot) {
  const Recipe recipe = static_cast<Recipe>(GetParam());
  const CellKey key = key_for(recipe);
  ASSERT_NE(key.op, MUSTER_OP_NONE);
  const std::vector<CellKey> bases = recipe_bases(recipe, key);
  std::vector<muster_rule> rules;
  for (const CellKey& base : bases) rules.push_back(exactly(base));
  const uint64_t bytes = key.op == MUSTER_BARRIER ? 0 : 64;
  const Chain chain = chain_of({backend_of("a", 50, rules)});
  const Candidate* const found = find(chain, key, bytes);
  ASSERT_NE(found, nullptr) << recipe_name(recipe);
  EXPECT_EQ(found->backend, kComposed);
  EXPECT_EQ(found->rule, GetParam()) << recipe_name(static_cast<Recipe>(found->rule));
  for (size_t missing = 0; missing < rules.size(); ++missing) {
    std::vector<muster_rule> fewer = rules;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(missing));
    if (fewer.empty()) continue;
    const Chain poorer = chain_of({backend_of("a", 50, fewer)});
    const Candidate* const other = find(poorer, key, bytes);
    if (other != nullptr) {
      EXPECT_NE(other->rule, GetParam());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChainRecipe, every_recipe(),
                         [](const auto& info) { return recipe_in_words(info.param); });

TEST(ChainCompositions, GivenABackendThatOffersAllThenThereAreNone) {
  muster_rule rule = rule_for_all(all_below(MUSTER_OP_END));
  rule.flags = MUSTER_RULE_UNSIZED | MUSTER_RULE_QUANTISED;
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  for (const Candidate& candidate : chain.table.candidates) EXPECT_NE(candidate.backend, kComposed);
}

TEST(ChainCompositions, GivenABackendForSmallSizesThenTheCompositionBeginsOneByteBeyond) {
  muster_rule gather = rule_for(MUSTER_GATHER);
  gather.bytes_from = 1;
  gather.bytes_to = 1024;
  const Chain chain = chain_of({backend_of("a", 50, {gather, rule_for(MUSTER_ALL_GATHER)})});
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 0), "composed");
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 1), "a");
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 1024), "a");
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 1025), "composed");
}

TEST(ChainCompositions, GivenAConditionalRuleThenWhatItRefusesIsComposed) {
  muster_rule rule = rule_for(MUSTER_ALL_TO_ALL);
  rule.place = MUSTER_PLACE_OUT;
  rule.bytes_multiple = 16;
  const Chain chain = chain_of({backend_of("a", 50, {rule, rule_for(MUSTER_ALL_GATHER)})});
  const CellKey key = key_of(MUSTER_ALL_TO_ALL);
  EXPECT_EQ(who(chain, key, 16), "a");
  EXPECT_EQ(who(chain, key, 16, kInPlace), "composed");
  EXPECT_EQ(who(chain, key, 17), "composed");
}

TEST(ChainCompositions, GivenABaseThatDoesNotTakeEveryCallThenNothingRestsOnIt) {
  const auto composed_on = [](auto change) {
    muster_rule rule = rule_for(MUSTER_ALL_GATHER);
    change(rule);
    return who(chain_of({backend_of("a", 50, {rule})}), key_of(MUSTER_GATHER), 64);
  };
  EXPECT_EQ(composed_on([](muster_rule&) {}), "composed");
  EXPECT_EQ(composed_on([](muster_rule& rule) {
              rule.bytes_from = 0;
              rule.bytes_to = 1 << 30;
            }),
            "nobody");
  EXPECT_EQ(composed_on([](muster_rule& rule) { rule.bytes_multiple = 4; }), "nobody");
  EXPECT_EQ(composed_on([](muster_rule& rule) { rule.place = MUSTER_PLACE_OUT; }), "nobody");
  EXPECT_EQ(composed_on([](muster_rule& rule) { rule.flags = MUSTER_RULE_SYMMETRIC; }), "nobody");
  EXPECT_EQ(composed_on([](muster_rule& rule) { rule.streams = bits({MUSTER_STREAM_CUDA}); }),
            "nobody");
}

TEST(ChainCompositions, GivenTwoBackendsThatTogetherTakeEverySizeThenCompositionsRestOnBoth) {
  muster_rule small = rule_for(MUSTER_ALL_GATHER);
  small.bytes_to = 1023;
  small.bytes_from = 0;
  muster_rule large = rule_for(MUSTER_ALL_GATHER);
  large.bytes_from = 1024;
  large.bytes_to = UINT64_MAX;
  const Chain chain = chain_of({backend_of("a", 50, {small}), backend_of("b", 50, {large})});
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 64), "composed");
}

TEST(ChainCompositions, GivenAllGatherOfBytesThenEachPassBuildsOnTheOneBefore) {
  muster_rule rule = rule_for(MUSTER_ALL_GATHER);
  rule.dtypes = bits({MUSTER_U8});
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  const auto recipe_of = [&](const CellKey& key) {
    const Candidate* const found = find(chain, key, 64);
    return found == nullptr || found->backend != kComposed ? Recipe::kEnd
                                                           : static_cast<Recipe>(found->rule);
  };
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_GATHER, MUSTER_U8), 64), "a");
  EXPECT_EQ(recipe_of(key_of(MUSTER_ALL_GATHER, MUSTER_BF16)), Recipe::kAsBytes);
  EXPECT_EQ(recipe_of(key_of(MUSTER_ALL_REDUCE, MUSTER_BF16)), Recipe::kAllReduceByAllGather);
  EXPECT_EQ(recipe_of(key_of(MUSTER_REDUCE_SCATTER, MUSTER_BF16)),
            Recipe::kReduceScatterByAllReduce);
  EXPECT_EQ(recipe_of(key_of(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_BF16)),
            Recipe::kFusedByAllReduce);
  EXPECT_EQ(recipe_of(key_of(MUSTER_BROADCAST, MUSTER_F8E4M3)), Recipe::kAsBytes);
}

TEST(ChainCompositions, GivenDtypesWithoutAKernelThenNothingIsReducedLocally) {
  const Chain chain = chain_of({backend_of("a", 50, {rule_for(MUSTER_ALL_GATHER)})});
  for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_DTYPE_END; ++dtype) {
    const bool reduces = host_reduce(dtype, MUSTER_SUM) != nullptr;
    EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, dtype), 64), reduces ? "composed" : "nobody")
        << dtype_name(dtype);
    const bool norm = host_rmsnorm(dtype) != nullptr;
    EXPECT_EQ(who(chain, key_of(MUSTER_FUSED_ALL_REDUCE_RMSNORM, dtype), 64),
              norm ? "composed" : "nobody")
        << dtype_name(dtype);
  }
}

TEST(ChainCompositions, GivenSumsThenAveragesAreMadeOfThemExceptWhereThatWouldRoundTwice) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.redops = bits({MUSTER_SUM});
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_AVG), 64), "composed");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_I32, MUSTER_AVG), 64), "composed");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F16, MUSTER_AVG), 64), "nobody");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_AVG), 64), "nobody");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX), 64), "nobody");
}

TEST(ChainCompositions, GivenMessagesOfBytesThenAllMessagesGoAsBytesAndUnsized) {
  muster_rule rule = rule_for_all(kMessages);
  rule.dtypes = bits({MUSTER_U8});
  rule.flags = MUSTER_RULE_UNSIZED;
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  EXPECT_EQ(who(chain, key_of(MUSTER_SEND, MUSTER_F64), kUnsized), "composed");
}

TEST(ChainCompositions, GivenABaseForKnownSizesThenUnsizedCallsDoNotGoAsBytes) {
  muster_rule rule = rule_for(MUSTER_ALL_TO_ALLV);
  rule.dtypes = bits({MUSTER_U8});
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_TO_ALLV, MUSTER_F32), kUnsized), "nobody");
}

TEST(ChainCompositions, GivenMemoryThatThisProcessMayNotReadThenOnlyPartsTouchTheData) {
  muster_rule rule = rule_for_all(bits({MUSTER_ALL_GATHER, MUSTER_BROADCAST, MUSTER_REDUCE}));
  rule.memory = bits({MUSTER_CUDA});
  const Chain chain = chain_of({backend_of("a", 50, {rule})});
  const auto on_cuda = [&](muster_op op) {
    CellKey key = key_of(op);
    key.memory = MUSTER_CUDA;
    return who(chain, key, 64);
  };
  EXPECT_EQ(on_cuda(MUSTER_ALL_REDUCE), "composed") << "reduce, then broadcast";
  EXPECT_EQ(on_cuda(MUSTER_ALL_GATHERV), "composed") << "broadcasts";
  EXPECT_EQ(on_cuda(MUSTER_GATHER), "nobody") << "needs scratch";
  EXPECT_EQ(on_cuda(MUSTER_REDUCE_SCATTER), "nobody") << "needs scratch";
}

TEST(ChainCompositions, GivenACallOnAStreamThenNoCompositionTakesIt) {
  const Chain chain = chain_of({backend_of("a", 50, {rule_for(MUSTER_ALL_GATHER)})});
  EXPECT_EQ(
      who(chain, key_of(MUSTER_GATHER), 64,
          kTraitOutOfPlace | kTraitNotSymmetric | (uint32_t{kTraitStream} << MUSTER_STREAM_CUDA)),
      "nobody");
}

TEST(ChainCompositions, GivenAForbiddenOperationThenItIsComposedOfTheAllowedOnes) {
  PolicyRule policy = forbid({"a"});
  policy.ops = bits({MUSTER_GATHER});
  const std::vector<PolicyRule> policies = {policy};
  const Chain chain = chain_of(
      {backend_of("a", 50, {rule_for_all(bits({MUSTER_GATHER, MUSTER_ALL_GATHER}))})}, policies);
  EXPECT_EQ(who(chain, key_of(MUSTER_GATHER), 64), "composed");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_GATHER), 64), "a");
}

}  // namespace
}  // namespace muster::testing
