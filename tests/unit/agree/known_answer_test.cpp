// The known-answer test: a backend that computes wrong results does not serve, on any rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/agree/test_values.hpp"
#include "tests/unit/agree/recorder.hpp"
#include "tests/unit/chain/rules.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Time enough to ask everything, however slow the machine.
constexpr const char* kConfig =
    "[plugins]\ninstalled = false\nprobe = \"in-process\"\n[check]\nknown_answer_ms = 50000\n";

class KnownAnswer : public ::testing::Test {
 protected:
  static muster_rule honest_rule() {
    muster_rule rule = rule_for_all(all_below(MUSTER_OP_END));
    rule.dtypes = bits({MUSTER_U8, MUSTER_I32, MUSTER_F32, MUSTER_BF16});
    rule.flags = MUSTER_RULE_UNSIZED;
    return rule;
  }
  // Who serves a sum of f32 on every rank, with what explain says of the others.
  struct Served {
    std::string backend;
    std::string explanation;
    std::string decisions;
  };
  static std::vector<Served> served(const World& world, uint32_t ranks) {
    std::vector<Served> all(ranks);
    world.run([&](api::Runtime& runtime, uint32_t rank) {
      api::Group group(runtime);
      std::vector<float> data(1000);
      muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
      call.redop = MUSTER_SUM;
      call.send = call.recv = data.data();
      call.count = data.size();
      all[rank] = {group.backend(call), group.explain(call), runtime.describe()};
    });
    return all;
  }
  // Makes one element wrong where a call matches.
  template <typename Matches>
  static void spoil(ThreadBackend& backend, Matches matches, uint64_t element) {
    ON_CALL(backend.mock(), execute)
        .WillByDefault([&backend, matches, element](MockGroup& group, const muster_call& call) {
          backend.execute(group, call);
          if (matches(group, call)) store_value(call.dtype, call.recv, element, 77);
        });
  }

  CapturedLog log_;
};

TEST_F(KnownAnswer, GivenAnHonestBackendThenItServesAndTheTestIsOnRecord) {
  ThreadBackend honest("candid", {honest_rule()});  // what passed is not asked again: of its own id
  for (const Served& s : served(World(3).with(honest.mock()).config(kConfig), 3)) {
    EXPECT_EQ(s.backend, "candid");
    EXPECT_THAT(s.decisions, HasSubstr(" known answers\""));
    EXPECT_THAT(s.decisions, Not(HasSubstr("untested")));
  }
  const std::vector<muster_op> seen = honest.seen();
  const std::set<muster_op> asked(seen.begin(), seen.end());
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    const bool skipped =
        op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || op == MUSTER_SEND || op == MUSTER_RECV;
    EXPECT_EQ(asked.count(op), skipped ? 0u : 1u) << op_name(op);
  }
}

TEST_F(KnownAnswer, GivenOneWrongElementOnOneRankThenTheBackendIsOutOnEveryRankAndAllKnowWhere) {
  ThreadBackend honest("honest", {honest_rule()}, 10);
  ThreadBackend liar("liar", {honest_rule()}, 90);
  spoil(
      liar,
      [](MockGroup& group, const muster_call& call) {
        return group.rank() == 1 && call.op == MUSTER_ALL_GATHER && call.dtype == MUSTER_BF16;
      },
      2);
  PerRank destroyed;
  ON_CALL(liar.mock(), destroy).WillByDefault([&](MockGroup& group) {
    destroyed.count(group.rank());
  });
  const auto all = served(World(3).with(honest.mock()).with(liar.mock()).config(kConfig), 3);
  for (const Served& s : all) {
    EXPECT_EQ(s.backend, "honest");
    EXPECT_THAT(s.explanation,
                HasSubstr("known-answer test: rank 1: all_gather bf16 count 5: 1 elements wrong, "
                          "the first is 2: 77 instead of "));
  }
  EXPECT_EQ(destroyed.counts(), (std::map<uint32_t, int>{{0, 1}, {1, 1}, {2, 1}}));
}

TEST_F(KnownAnswer, GivenABackendThatPassedThenTheSameOfferIsNotAskedAgainInThisProcess) {
  ThreadBackend backend("repeated", {honest_rule()});
  World(2).with(backend.mock()).config(kConfig).run([&](api::Runtime& runtime, uint32_t) {
    api::Group first(runtime);
    first.barrier();  // both ranks have asked everything
    if (first.rank() == 0) backend.forget();
    first.barrier();
    api::Group second(runtime);
    EXPECT_THAT(runtime.describe(), HasSubstr("as before in this process"));
  });
  EXPECT_EQ(backend.seen(), std::vector<muster_op>{MUSTER_BARRIER});
}

TEST_F(KnownAnswer, GivenTheTestSwitchedOffThenNothingIsAsked) {
  ThreadBackend liar("liar", {honest_rule()}, 90);
  spoil(
      liar, [](MockGroup&, const muster_call& call) { return call.op == MUSTER_ALL_REDUCE; }, 0);
  for (const Served& s : served(World(2).with(liar.mock()), 2)) EXPECT_EQ(s.backend, "liar");
  EXPECT_TRUE(liar.seen().empty());
}

TEST_F(KnownAnswer, GivenACallThatFailsOnOneRankThenItsCauseIsTheReason) {
  ThreadBackend honest("honest", {honest_rule()}, 10);
  ThreadBackend broken("broken", {honest_rule()}, 90);
  ON_CALL(broken.mock(), execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    broken.execute(group, call);
    if (group.rank() == 0 && call.op == MUSTER_REDUCE)
      plugin::fail(MUSTER_INTERNAL, "kernel crashed");
  });
  for (const Served& s :
       served(World(2).with(honest.mock()).with(broken.mock()).config(kConfig), 2)) {
    EXPECT_EQ(s.backend, "honest");
    EXPECT_THAT(s.explanation, HasSubstr("rank 0: reduce "));
    EXPECT_THAT(s.explanation, HasSubstr("kernel crashed"));
  }
}

TEST_F(KnownAnswer, GivenARuleForLargerSizesThenItIsAskedAtItsLowerEdge) {
  muster_rule rule = rule_for(MUSTER_ALL_REDUCE);
  rule.dtypes = bits({MUSTER_F32});
  rule.redops = bits({MUSTER_SUM});
  rule.bytes_from = 4000;
  rule.bytes_to = UINT64_MAX;
  rule.bytes_multiple = 32;
  ThreadBackend backend("edge", {rule});
  std::mutex mutex;
  std::vector<uint64_t> counts;
  ON_CALL(backend.mock(), execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    backend.execute(group, call);
    if (group.rank() != 0) return;
    const std::lock_guard lock(mutex);
    counts.push_back(call.count);
  });
  served(World(2).with(backend.mock()).config(kConfig), 2);
  EXPECT_EQ(counts, std::vector<uint64_t>{1000});  // 4000 is a multiple of 32
}

TEST_F(KnownAnswer, GivenALowerEdgeTooLargeToAskThenItIsNamedAsUntested) {
  muster_rule large = rule_for(MUSTER_ALL_REDUCE, "huge");
  large.dtypes = bits({MUSTER_F32});
  large.bytes_from = 64 << 20;
  large.bytes_to = UINT64_MAX;
  muster_rule barrier = rule_for(MUSTER_BARRIER);
  ThreadBackend backend("edge", {large, barrier});
  World(2).with(backend.mock()).config(kConfig).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    EXPECT_THAT(runtime.describe(), HasSubstr("rule huge from 64MiB on"));
  });
}

}  // namespace
}  // namespace muster::testing
