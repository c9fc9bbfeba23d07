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
  // An id for what must be asked: a backend that has passed is not asked again in this process.
  static std::string unheard_of() {
    static std::atomic<int> count{0};
    return "new_" + std::to_string(count++);
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
          group.carry_out(call);
          if (matches(group, call)) store_value(call.dtype, call.recv, element, 77);
        });
  }

  CapturedLog log_;
};

TEST_F(KnownAnswer, GivenAnHonestBackendThenItServesAndTheTestIsOnRecord) {
  const std::string id = unheard_of();
  ThreadBackend honest(id, {honest_rule()});
  for (const Served& s : served(World(3).with(honest.mock()).config(kConfig), 3)) {
    EXPECT_EQ(s.backend, id);
    EXPECT_THAT(s.decisions, HasSubstr(" known answers\""));
    EXPECT_THAT(s.decisions, Not(HasSubstr("untested")));
  }
  const std::vector<muster_op> seen = honest.seen();
  const std::set<muster_op> asked(seen.begin(), seen.end());
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    const bool skipped = op == MUSTER_SEND || op == MUSTER_RECV;
    EXPECT_EQ(asked.count(op), skipped ? 0u : 1u) << op_name(op);
  }
}

TEST_F(KnownAnswer, GivenManyQuestionsThenEveryOperationComesBeforeAnyComesAgain) {
  ThreadBackend backend(unheard_of(), {honest_rule()});
  served(World(2).with(backend.mock()).config(kConfig), 2);
  const std::vector<muster_op> seen = backend.seen();
  constexpr size_t kOps = MUSTER_OP_END - MUSTER_ALL_REDUCE - 2;  // but send and recv
  ASSERT_GT(seen.size(), 2 * kOps);
  EXPECT_EQ(std::set<muster_op>(seen.begin(), seen.begin() + kOps).size(), kOps);
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

TEST_F(KnownAnswer, GivenAWrongFusedResultOfEitherFormThenTheBackendIsOut) {
  for (const bool quantised : {false, true}) {
    ThreadBackend honest("honest", {honest_rule()}, 10);
    muster_rule rule = honest_rule();
    rule.flags |= MUSTER_RULE_QUANTISED;
    ThreadBackend liar("liar", {rule}, 90);
    spoil(
        liar,
        [=](MockGroup& group, const muster_call& call) {
          return group.rank() == 1 && call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM &&
                 call.dtype == MUSTER_BF16 &&
                 ((call.flags & MUSTER_CALL_QUANTISED) != 0) == quantised;
        },
        2);
    const std::string what =
        std::string("rank 1: fused_all_reduce_rmsnorm bf16 sum") + (quantised ? " quantised" : "");
    for (const Served& s :
         served(World(2).with(honest.mock()).with(liar.mock()).config(kConfig), 2)) {
      EXPECT_EQ(s.backend, "honest");
      EXPECT_THAT(s.explanation, HasSubstr(what + " count 128: "));
    }
  }
}

TEST_F(KnownAnswer, GivenWrongScalesOrResidualSumsThenTheBackendIsOut) {
  for (const bool scales : {false, true}) {
    ThreadBackend liar(unheard_of(), {[] {
                         muster_rule rule = honest_rule();
                         rule.flags |= MUSTER_RULE_QUANTISED;
                         return rule;
                       }()},
                       90);
    ON_CALL(liar.mock(), execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
      group.carry_out(call);
      if (call.fused == nullptr || (call.fused->quant_group != 0) != scales) return;
      if (scales) {
        call.fused->scale_out[1] *= 1.5f;
      } else {
        store_value(call.dtype, call.fused->residual_out, 3, 1);
      }
    });
    ThreadBackend honest("honest", {honest_rule()}, 10);
    for (const Served& s :
         served(World(2).with(honest.mock()).with(liar.mock()).config(kConfig), 2)) {
      EXPECT_EQ(s.backend, "honest");
      EXPECT_THAT(s.explanation, HasSubstr("fused_all_reduce_rmsnorm"));
    }
  }
}

TEST_F(KnownAnswer, GivenABackendThatPassedThenTheSameOfferIsNotAskedAgainInThisProcess) {
  ThreadBackend backend(unheard_of(), {honest_rule()});
  World(2).with(backend.mock()).config(kConfig).run([&](api::Runtime& runtime, uint32_t) {
    api::Group first(runtime);
    first.barrier();  // both ranks have asked everything
    if (first.rank() == 0) backend.forget();
    first.barrier();
    api::Group second(runtime);
    EXPECT_THAT(runtime.describe(), HasSubstr("known answers, as before"));
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
    group.carry_out(call);
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
  ThreadBackend backend(unheard_of(), {rule});
  std::mutex mutex;
  std::vector<uint64_t> counts;
  ON_CALL(backend.mock(), execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    group.carry_out(call);
    if (group.rank() != 0) return;
    const std::lock_guard lock(mutex);
    counts.push_back(call.count);
  });
  served(World(2).with(backend.mock()).config(kConfig), 2);
  EXPECT_EQ(counts, std::vector<uint64_t>{1000});  // 4000 is a multiple of 32
}

TEST_F(KnownAnswer, GivenRulesWithLimitsThenEveryQuestionIsOneThatTheyTake) {
  muster_rule small = rule_for_all(bits({MUSTER_ALL_GATHERV, MUSTER_REDUCE_SCATTERV}), "small");
  small.dtypes = bits({MUSTER_I32, MUSTER_I64});
  small.redops = bits({MUSTER_SUM});
  small.bytes_to = 50;  // of all ranks together, by these operations
  muster_rule large = small;
  std::strncpy(large.name, "large", sizeof(large.name) - 1);
  large.bytes_from = 1000;
  large.bytes_to = 1500;
  large.bytes_multiple = 24;
  ThreadBackend backend(unheard_of(), {small, large});
  std::mutex mutex;
  std::vector<uint64_t> asked;
  ON_CALL(backend.mock(), execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    group.execute(call);
    const std::lock_guard lock(mutex);
    asked.push_back(call.selection_bytes);
  });
  World(2).with(backend.mock()).config(kConfig).run([](api::Runtime& runtime, uint32_t) {
    const api::Group group(runtime);
  });
  EXPECT_FALSE(asked.empty());
  for (const uint64_t bytes : asked)
    EXPECT_TRUE(bytes <= 50 || (bytes >= 1000 && bytes <= 1500 && bytes % 24 == 0)) << bytes;
}

TEST_F(KnownAnswer, GivenALowerEdgeTooLargeToAskThenItIsNamedAsUntested) {
  muster_rule large = rule_for(MUSTER_ALL_REDUCE, "huge");
  large.dtypes = bits({MUSTER_F32});
  large.bytes_from = 64 << 20;
  large.bytes_to = UINT64_MAX;
  muster_rule barrier = rule_for(MUSTER_BARRIER);
  ThreadBackend backend(unheard_of(), {large, barrier});
  World(2).with(backend.mock()).config(kConfig).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    EXPECT_THAT(runtime.describe(), HasSubstr("rule huge from 64MiB on"));
  });
}

}  // namespace
}  // namespace muster::testing
