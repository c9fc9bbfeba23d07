// Which of several backends serves: forbid > prefer > priority > score > id.
#include <gtest/gtest.h>

#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

muster_rule scored(int32_t score) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.score = score;
  return rule;
}

TEST(ChainOrder, GivenEqualPriorityAndScoreThenTheLowerIdServes) {
  const Chain chain =
      chain_of({backend_of("b", 50, {scored(0)}), backend_of("a", 50, {scored(0)})});
  EXPECT_EQ(who(chain, kKey, 64), "a");
}

TEST(ChainOrder, GivenEqualPriorityThenTheHigherScoreServesWhateverTheId) {
  const Chain chain =
      chain_of({backend_of("a", 50, {scored(1)}), backend_of("b", 50, {scored(2)})});
  EXPECT_EQ(who(chain, kKey, 64), "b");
}

TEST(ChainOrder, GivenSeveralRulesOfOneBackendThenItsBestScoredOneIsUsed) {
  const Chain chain = chain_of({backend_of("a", 50, {scored(-5), scored(7), scored(3)})});
  ASSERT_NE(find(chain, kKey, 64), nullptr);
  EXPECT_EQ(find(chain, kKey, 64)->rule, 1);
}

TEST(ChainOrder, GivenAHigherPriorityThenNoScoreBeatsIt) {
  const Chain chain =
      chain_of({backend_of("a", 50, {scored(100)}), backend_of("b", 51, {scored(-100)})});
  EXPECT_EQ(who(chain, kKey, 64), "b");
}

TEST(ChainOrder, GivenAPreferenceThenNoPriorityBeatsItAndTheOthersFollowInOrder) {
  const std::vector<PolicyRule> policy = {prefer({"c", "b"})};
  const Chain chain = chain_of({backend_of("a", 90, {scored(0)}), backend_of("b", 20, {scored(0)}),
                                backend_of("c", 10, {scored(0)})},
                               policy);
  const Band* const band = chain.table.band(
      cell_index(chain.table.memory_slot[MUSTER_HOST], kKey.phase, kKey.op, kKey.dtype, kKey.redop),
      64);
  std::vector<std::string> order;
  for (uint32_t i = 0; i < band->count; ++i)
    order.push_back(chain.backends[chain.table.candidates[band->first + i].backend].id);
  EXPECT_EQ(order, (std::vector<std::string>{"c", "b", "a"}));
}

TEST(ChainOrder, GivenAPreferredBackendThatIsForbiddenByALaterRuleThenItDoesNotServe) {
  const std::vector<PolicyRule> policy = {prefer({"b"}), forbid({"b"})};
  const Chain chain =
      chain_of({backend_of("a", 1, {scored(0)}), backend_of("b", 99, {scored(0)})}, policy);
  EXPECT_EQ(who(chain, kKey, 64), "a");
}

TEST(ChainOrder, GivenEveryBackendForbiddenThenNobodyServes) {
  const std::vector<PolicyRule> policy = {forbid({"a", "b"})};
  const Chain chain =
      chain_of({backend_of("a", 1, {scored(0)}), backend_of("b", 99, {scored(0)})}, policy);
  EXPECT_EQ(who(chain, kKey, 64), "nobody");
}

TEST(ChainOrder, GivenSeveralPoliciesThenTheFirstThatHasTheFieldDecidesPerField) {
  const std::vector<PolicyRule> policy = {forbid({"c"}, 1), prefer({"b"}, 2), prefer({"a"}, 3),
                                          forbid({"b"}, 4)};
  const Chain chain = chain_of({backend_of("a", 50, {scored(0)}), backend_of("b", 50, {scored(0)}),
                                backend_of("c", 99, {scored(0)})},
                               policy);
  EXPECT_EQ(who(chain, kKey, 64), "b");
  EXPECT_EQ(preferring_rule(chain, kKey, 64)->source.line, 2u);
  EXPECT_EQ(forbidding_rule(chain, kKey, 64)->source.line, 1u);
}

TEST(ChainOrder, GivenAPreferenceForAnUnknownBackendThenTheRestKeepsItsOrder) {
  const std::vector<PolicyRule> policy = {prefer({"absent"})};
  const Chain chain =
      chain_of({backend_of("a", 10, {scored(0)}), backend_of("b", 20, {scored(0)})}, policy);
  EXPECT_EQ(who(chain, kKey, 64), "b");
}

TEST(ChainOrder, GivenThePoliciesOfOtherGroupsAndSizesThenOnlyTheirOwnAreKept) {
  const auto with = [](auto change) {
    PolicyRule policy = forbid({"a"});
    change(policy);
    return std::vector<PolicyRule>{policy};
  };
  const auto serves = [](const std::vector<PolicyRule>& policy, uint32_t ranks,
                         const std::string& group) {
    const Chain chain =
        chain_of({backend_of("a", 50, {scored(0)})}, policy, ranks, MUSTER_NONDETERMINISTIC, group);
    return who(chain, kKey, 64) == "a";
  };
  const auto tp = with([](PolicyRule& policy) { policy.group = "tp*"; });
  EXPECT_FALSE(serves(tp, 4, "tp0"));
  EXPECT_TRUE(serves(tp, 4, "pp0"));
  const auto one = with([](PolicyRule& policy) { policy.group = "t?"; });
  EXPECT_FALSE(serves(one, 4, "tp"));
  EXPECT_TRUE(serves(one, 4, "tpp"));
  const auto two_to_four = with([](PolicyRule& policy) {
    policy.ranks_from = 2;
    policy.ranks_to = 4;
  });
  EXPECT_TRUE(serves(two_to_four, 1, "tp"));
  EXPECT_FALSE(serves(two_to_four, 2, "tp"));
  EXPECT_FALSE(serves(two_to_four, 4, "tp"));
  EXPECT_TRUE(serves(two_to_four, 5, "tp"));
}

TEST(ChainOrder, GivenAPolicyForSomeCallsThenTheOthersAreUntouched) {
  PolicyRule policy = forbid({"a"});
  policy.ops = bits({MUSTER_ALL_REDUCE});
  policy.dtypes = bits({MUSTER_F32, MUSTER_BF16});
  policy.redops = bits({MUSTER_SUM});
  policy.bytes_from = 100;
  policy.bytes_to = 200;
  const std::vector<PolicyRule> policies = {policy};
  const Chain chain =
      chain_of({backend_of("a", 50, {rule_for_all(bits({MUSTER_ALL_REDUCE, MUSTER_ALL_TO_ALL}))})},
               policies);
  EXPECT_EQ(who(chain, kKey, 99), "a");
  EXPECT_EQ(who(chain, kKey, 100), "nobody");
  EXPECT_EQ(who(chain, kKey, 200), "nobody");
  EXPECT_EQ(who(chain, kKey, 201), "a");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F64), 100), "a");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_BF16), 100), "nobody");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX), 100), "a");
  EXPECT_EQ(who(chain, key_of(MUSTER_ALL_TO_ALL), 100), "a");
}

TEST(ChainOrder, GivenAPolicyForOneKindOfMemoryThenTheOtherKindIsUntouched) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.memory = bits({MUSTER_HOST, MUSTER_CUDA});
  PolicyRule policy = forbid({"a"});
  policy.memory = bits({MUSTER_CUDA});
  const std::vector<PolicyRule> policies = {policy};
  const Chain chain = chain_of({backend_of("a", 50, {rule})}, policies);
  CellKey cuda = kKey;
  cuda.memory = MUSTER_CUDA;
  EXPECT_EQ(who(chain, kKey, 64), "a");
  EXPECT_EQ(who(chain, cuda, 64), "nobody");
}

TEST(ChainOrder, GivenAPolicyForSendThenReceivesFollowItSinceTheyAreOneMessage) {
  muster_rule rule = rule_for_all(kMessages);
  rule.flags = MUSTER_RULE_UNSIZED;
  PolicyRule policy = forbid({"a"});
  policy.ops = bits({MUSTER_RECV});
  const std::vector<PolicyRule> policies = {policy};
  const Chain chain =
      chain_of({backend_of("a", 50, {rule}), backend_of("b", 40, {rule})}, policies);
  EXPECT_EQ(who(chain, key_of(MUSTER_SEND), kUnsized), "b");
}

TEST(ChainOrder, GivenAPolicyForARangeOfSizesThenUnsizedCallsAreNotCovered) {
  muster_rule rule = rule_for(MUSTER_GATHERV);
  rule.flags = MUSTER_RULE_UNSIZED;
  PolicyRule policy = forbid({"a"});
  policy.bytes_from = 1;
  const std::vector<PolicyRule> limited = {policy};
  EXPECT_EQ(who(chain_of({backend_of("a", 50, {rule})}, limited), key_of(MUSTER_GATHERV), kUnsized),
            "a");
  const std::vector<PolicyRule> unlimited = {forbid({"a"})};
  EXPECT_EQ(
      who(chain_of({backend_of("a", 50, {rule})}, unlimited), key_of(MUSTER_GATHERV), kUnsized),
      "nobody");
}

TEST(ChainText, GivenAnythingThatDecidesWhenItChangesThenTheTextChanges) {
  const auto text = [](int32_t priority, int32_t score, const std::vector<PolicyRule>& policy,
                       uint32_t ranks) {
    return chain_text(chain_of({backend_of("a", priority, {scored(score)})}, policy, ranks));
  };
  const std::string base = text(50, 0, {}, 4);
  EXPECT_EQ(text(50, 0, {}, 4), base);
  EXPECT_NE(text(51, 0, {}, 4), base);
  EXPECT_NE(text(50, 1, {}, 4), base);
  EXPECT_NE(text(50, 0, {}, 5), base);
  EXPECT_NE(text(50, 0, {forbid({"a"})}, 4), base);
  EXPECT_NE(text(50, 0, {prefer({"a"})}, 4), text(50, 0, {forbid({"a"})}, 4));
}

}  // namespace
}  // namespace muster::testing
