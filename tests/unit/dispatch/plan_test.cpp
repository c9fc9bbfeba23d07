// Frozen calls and counters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::Field;
using ::testing::HasSubstr;

// "operation backend" -> calls, bytes.
std::map<std::string, std::pair<uint64_t, uint64_t>> calls_and_bytes(api::Group& group) {
  std::map<std::string, std::pair<uint64_t, uint64_t>> counters;
  group.counters(
      [](void* context, muster_op op, const char* backend, uint64_t calls, uint64_t bytes) {
        auto& all = *static_cast<std::map<std::string, std::pair<uint64_t, uint64_t>>*>(context);
        all[std::string(muster_op_name(op)) + " " + backend] = {calls, bytes};
      },
      &counters);
  return counters;
}

TEST(Plan, GivenAPlanThenEveryRunHandsOverTheSameRecord) {
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute(_, Field(&muster_call::count, 5u))).Times(6);
  with_group(2, mock, [](api::Group& group) {
    muster_call call = all_reduce_of(data, data + 32, 5);
    api::Plan plan = group.plan(call);
    call.count = 99;
    for (int i = 0; i < 3; ++i) plan.run();
    EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (std::pair<uint64_t, uint64_t>{3, 60}));
  });
}

TEST(Plan, GivenRunsOfPlansThatComeAndGoThenEachIsCountedOnce) {
  using Pair = std::pair<uint64_t, uint64_t>;
  IdleBackend mock("fast");
  with_group(2, mock, [](api::Group& group) {
    {
      api::Plan kept = group.plan(all_reduce_of(data, data + 32, 5));
      {
        api::Plan gone = group.plan(all_reduce_of(data, data + 32, 1));
        gone.run();
        kept.run();
        EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (Pair{2, 24}));
        EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (Pair{2, 24}));
        gone.run();
      }
      EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (Pair{3, 28}));
      kept.run();
    }
    group.all_reduce(data, data + 32, 5, MUSTER_I32, MUSTER_SUM);
    EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (Pair{5, 68}));
  });
}

TEST(Plan, GivenOperandsThatChangeAfterwardsThenThePlanKeepsItsOwn) {
  IdleBackend mock("fast");
  ON_CALL(mock, execute).WillByDefault([](MockGroup&, const muster_call& call) {
    if (call.op == MUSTER_ALL_TO_ALLV) {
      EXPECT_EQ(call.send_counts[1], 2u);
      EXPECT_EQ(call.recv_counts[0], 1u);
      EXPECT_EQ(call.send_displs[1], 8u);
      EXPECT_EQ(call.recv_displs, nullptr);
    } else if (call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
      EXPECT_EQ(call.fused->hidden, 2u);
    } else {
      EXPECT_EQ(*static_cast<const double*>(call.scalar), 0.5);
    }
  });
  EXPECT_CALL(mock, execute).Times(6);
  with_group(2, mock, [](api::Group& group) {
    uint64_t counts[2][2] = {{1, 2}, {1, 2}};
    uint64_t displs[] = {0, 8};
    double scalar = 0.5;
    muster_fused_rmsnorm fused{};
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = 2;
    fused.weight = data;
    muster_call all_to_allv = muster_call_init(MUSTER_ALL_TO_ALLV, MUSTER_I32);
    all_to_allv.send = data;
    all_to_allv.recv = data + 32;
    all_to_allv.send_counts = counts[0];
    all_to_allv.recv_counts = counts[1];
    all_to_allv.send_displs = displs;
    muster_call scaled = all_reduce_of(data, data + 32, 4, MUSTER_F64);
    scaled.scalar = &scalar;
    muster_call norm = all_reduce_of(data, data + 32, 4, MUSTER_F32);
    norm.op = MUSTER_FUSED_ALL_REDUCE_RMSNORM;
    norm.fused = &fused;
    api::Plan plans[] = {group.plan(all_to_allv), group.plan(scaled), group.plan(norm)};
    counts[0][1] = counts[1][0] = displs[1] = 77;
    scalar = 77;
    fused.hidden = 77;
    for (api::Plan& plan : plans) plan.run();
  });
}

TEST(Plan, GivenVectorsThatAreReadOnTheRootOnlyThenOtherRanksDoNotTouchThem) {
  IdleBackend mock("fast");
  with_group(2, mock, [](api::Group& group) {
    const uint64_t counts[] = {1, 1};
    muster_call gatherv = muster_call_init(MUSTER_GATHERV, MUSTER_I32);
    gatherv.send = data;
    gatherv.recv = data + 32;
    gatherv.count = 1;
    gatherv.recv_counts = group.rank() == 0 ? counts : reinterpret_cast<const uint64_t*>(8);
    group.plan(gatherv).run();
  });
}

TEST(Plan, GivenACallThatIsRefusedThenThereIsNoPlan) {
  IdleBackend mock("fast");
  with_group(2, mock, [](api::Group& group) {
    EXPECT_EQ(failure_of([&] { group.plan(all_reduce_of(nullptr, data, 5)); }).code,
              MUSTER_INVALID_ARGUMENT);
    muster_call on_stream = all_reduce_of(data, data + 32, 5);
    on_stream.stream.kind = MUSTER_STREAM_CUDA;
    EXPECT_EQ(failure_of([&] { group.plan(on_stream); }).code, MUSTER_UNAVAILABLE);
  });
}

TEST(Plan, GivenAPlanThenItsGroupCannotEndBeforeIt) {
  IdleBackend mock("fast");
  with_group(2, mock, [](api::Group& group) {
    {
      const api::Plan plan = group.plan(all_reduce_of(data, data + 32, 5));
      EXPECT_EQ(failure_of([&] { group.destroy(); }).code, MUSTER_FAILED_PRECONDITION);
    }
    group.destroy();
  });
}

TEST(Plan, GivenTheFunctionOfTheLibraryThenItDoesWhatAReplayInPlaceDoes) {
  const CapturedLog log;
  IdleBackend mock("fast");
  EXPECT_CALL(mock, execute).Times(6).WillRepeatedly([](MockGroup& group, const muster_call& call) {
    if (call.count == 6 && group.rank() == 1) plugin::fail(MUSTER_PEER_LOST, "rank 0 died");
  });
  with_group(2, mock, [](api::Group& group) {
    api::Plan plan = group.plan(all_reduce_of(data, data + 32, 5));
    api::check(muster_plan_run(plan.get()));
    plan.run();
    EXPECT_EQ(calls_and_bytes(group)["all_reduce fast"], (std::pair<uint64_t, uint64_t>{2, 40}));
    api::Plan bad = group.plan(all_reduce_of(data, data + 32, 6));
    const auto run = [&] { api::check(muster_plan_run(bad.get())); };
    if (group.rank() == 0) return run();
    EXPECT_EQ(failure_of(run).code, MUSTER_PEER_LOST);
    EXPECT_EQ(failure_of(run).code, MUSTER_FAILED_PRECONDITION);
  });
}

TEST(Plan, GivenABrokenGroupThenItsPlansAreRefusedWithTheCause) {
  const CapturedLog log;
  IdleBackend mock("fast");
  ON_CALL(mock, execute).WillByDefault([](MockGroup&, const muster_call& call) {
    if (call.count == 6) plugin::fail(MUSTER_PEER_LOST, "rank 1 died");
  });
  with_group(2, mock, [](api::Group& group) {
    api::Plan good = group.plan(all_reduce_of(data, data + 32, 5));
    api::Plan bad = group.plan(all_reduce_of(data, data + 32, 6));
    good.run();
    EXPECT_EQ(failure_of([&] { bad.run(); }).code, MUSTER_PEER_LOST);
    const Failed failed = failure_of([&] { good.run(); });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.cause, HasSubstr("rank 1 died"));
  });
}

TEST(Plan, GivenAnotherPhaseThenThePlanOfThisOneIsRefused) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.phases = MUSTER_BIT(MUSTER_EAGER) | MUSTER_BIT(MUSTER_GRAPH_PIECEWISE);
    query.add(rule);
  });
  EXPECT_CALL(mock, execute).Times(4);
  with_group(2, mock, [](api::Group& group) {
    api::Plan eager = group.plan(all_reduce_of(data, data + 32, 5));
    group.graph_begin(MUSTER_GRAPH_PIECEWISE);
    const Failed failed = failure_of([&] { eager.run(); });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.cause, HasSubstr("made in phase eager"));
    api::Plan piecewise = group.plan(all_reduce_of(data, data + 32, 5));
    piecewise.run();
    group.graph_end(true);
    EXPECT_EQ(failure_of([&] { piecewise.run(); }).code, MUSTER_FAILED_PRECONDITION);
    eager.run();
  });
}

TEST(Counters, GivenCallsOfEveryKindThenEachIsCountedWithItsSelectionBytes) {
  IdleBackend mock("fast", 50, kMockStart | kMockBatch);
  with_group(2, mock, [](api::Group& group) {
    EXPECT_TRUE(calls_and_bytes(group).empty());
    const uint64_t counts[] = {2, 3};
    const muster_call call = all_reduce_of(data, data + 32, 5);
    group.execute(call);
    group.start(call).wait();
    group.batch(&call, 1);
    group.all_gatherv(data, data + 32, counts, nullptr, MUSTER_I32);
    muster_call gatherv = muster_call_init(MUSTER_ALL_GATHERV, MUSTER_I32);
    gatherv.send = data;
    gatherv.recv = data + 32;
    gatherv.recv_counts = counts;
    group.batch(&gatherv, 1);
    const uint32_t peer = 1 - group.rank();
    group.send(data, 4, MUSTER_I32, peer);
    muster_call send = muster_call_init(MUSTER_SEND, MUSTER_I32);
    send.send = data;
    send.count = 4;
    send.peer = peer;
    group.start(send).wait();
    auto counters = calls_and_bytes(group);
    using Pair = std::pair<uint64_t, uint64_t>;
    EXPECT_EQ(counters.size(), 3u);
    EXPECT_EQ(counters["all_reduce fast"], (Pair{3, 60}));
    EXPECT_EQ(counters["all_gatherv fast"], (Pair{2, 40}));
    EXPECT_EQ(counters["send fast"], (Pair{2, 32}));
  });
}

TEST(Counters, GivenACompositionThenItAndItsPartsAreCounted) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
    query.add(rule);
  });
  with_group(2, mock, [](api::Group& group) {
    group.gather(data, data + 32, 4, MUSTER_I32, 0);
    auto counters = calls_and_bytes(group);
    using Pair = std::pair<uint64_t, uint64_t>;
    EXPECT_EQ(counters["gather composed"], (Pair{1, 16}));
    EXPECT_EQ(counters["all_gather fast"], (Pair{1, 16}));
  });
}

}  // namespace
}  // namespace muster::testing
