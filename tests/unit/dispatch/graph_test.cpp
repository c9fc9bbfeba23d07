// Graph phases: announced to backends, ended by all ranks together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>

#include "tests/unit/compose/thread_backend.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

muster_rule in_all_phases() {
  muster_rule rule = MockBackend::everything();
  rule.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
  return rule;
}

class Graph : public ::testing::Test {
 protected:
  Graph() {
    ON_CALL(mock_, offer).WillByDefault([](plugin::Query query) { query.add(in_all_phases()); });
  }
  IdleBackend mock_{"fast", 50, kMockCapture};
};

TEST_F(Graph, GivenEachPhaseThenTheBackendHearsItAndCallsCarryIt) {
  for (const muster_phase phase :
       {MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE, MUSTER_GRAPH_PIECEWISE}) {
    EXPECT_CALL(mock_, capture_begin(_, phase)).Times(2);
    EXPECT_CALL(mock_, execute(_, ::testing::Field(&muster_call::phase, phase))).Times(2);
    EXPECT_CALL(mock_, capture_end(_, true)).Times(2);
    EXPECT_CALL(mock_, execute(_, ::testing::Field(&muster_call::phase, uint32_t{MUSTER_EAGER})))
        .Times(2);
    with_group(2, mock_, [&](api::Group& group) {
      group.graph_begin(phase);
      group.execute(reduce_of(1));
      group.graph_end(true);
      group.execute(reduce_of(1));
    });
    ::testing::Mock::VerifyAndClearExpectations(&mock_);
  }
}

TEST_F(Graph, GivenABackendThatCannotBeginOrEndThenTheOthersAreToldAllTheSame) {
  IdleBackend other("slow", 10, kMockCapture);
  ON_CALL(other, offer).WillByDefault([](plugin::Query query) { query.add(in_all_phases()); });
  ON_CALL(mock_, offer).WillByDefault([](plugin::Query query) {  // not all, so that both serve
    muster_rule rule = in_all_phases();
    rule.ops &= ~MUSTER_BIT(MUSTER_BROADCAST);
    query.add(rule);
  });
  const auto refuse = [](auto&&...) { plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "no room"); };
  // At first not begun by the second: the first goes back, and the group is where it was. Then not
  // ended by the first: the second hears of the end. Two ranks each.
  EXPECT_CALL(mock_, capture_begin).Times(4);
  EXPECT_CALL(other, capture_begin)
      .Times(4)
      .WillOnce(refuse)
      .WillOnce(refuse)
      .WillRepeatedly(::testing::Return());
  EXPECT_CALL(mock_, capture_end(_, false)).Times(2);
  EXPECT_CALL(mock_, capture_end(_, true)).Times(2).WillRepeatedly(refuse);
  EXPECT_CALL(other, capture_end(_, true)).Times(2);
  std::barrier together(2);
  World(2).with(mock_).with(other).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    for (int turn = 0; turn < 2; ++turn) {
      const Failed failed = failure_of([&] {
        group.graph_begin(MUSTER_GRAPH_CAPTURE);
        group.graph_end(true);
      });
      EXPECT_EQ(failed.code, MUSTER_RESOURCE_EXHAUSTED);
      EXPECT_THAT(failed.cause, HasSubstr("no room"));
      together.arrive_and_wait();
    }
  });
}

TEST_F(Graph, GivenABackendThatCannotBeginOnOneRankThenNoneBeginsAndTheGroupGoesOn) {
  std::atomic<bool> refuses{true};
  EXPECT_CALL(mock_, capture_begin).WillRepeatedly([&](MockGroup& group, muster_phase) {
    if (group.rank() == 1 && refuses) plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "no room");
  });
  EXPECT_CALL(mock_, capture_end(_, false)).Times(2);
  EXPECT_CALL(mock_, capture_end(_, true)).Times(3);
  std::barrier together(3);
  with_group(3, mock_, [&](api::Group& group) {
    const Failed failed = failure_of([&] { group.graph_begin(MUSTER_GRAPH_CAPTURE); });
    EXPECT_EQ(failed.code, group.rank() == 1 ? MUSTER_RESOURCE_EXHAUSTED : MUSTER_ABORTED);
    EXPECT_THAT(failed.cause, HasSubstr("no room"));
    EXPECT_EQ(failed.cause.find("not begun: rank 1: cannot begin") != std::string::npos,
              group.rank() != 1);
    group.execute(reduce_of(1));
    together.arrive_and_wait();
    refuses = false;
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    group.execute(reduce_of(1));
    group.graph_end(true);
  });
}

TEST_F(Graph, GivenOneRankThatAbortsThenAllHearItNothingIsRegisteredAndTheGroupGoesOn) {
  EXPECT_CALL(mock_, capture_end(_, false)).Times(3);
  EXPECT_CALL(mock_, capture_end(_, true)).Times(3);
  with_group(3, mock_, [](api::Group& group) {
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    group.execute(reduce_of(1));
    const Failed failed = failure_of([&] { group.graph_end(group.rank() != 1); });
    EXPECT_EQ(failed.code, MUSTER_ABORTED);
    EXPECT_THAT(failed.cause, HasSubstr("rank 1: aborted its capture"));
    EXPECT_THAT(failed.remedy, HasSubstr("can be used"));
    group.execute(reduce_of(1));
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    group.execute(reduce_of(1));
    group.graph_end(true);
  });
}

TEST_F(Graph, GivenPhasesOutOfTurnThenTheyAreRefused) {
  with_group(2, mock_, [](api::Group& group) {
    EXPECT_EQ(failure_of([&] { group.graph_end(true); }).code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(failure_of([&] { group.graph_begin(MUSTER_EAGER); }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(failure_of([&] { group.graph_begin(MUSTER_PHASE_END); }).code,
              MUSTER_INVALID_ARGUMENT);
    group.graph_begin(MUSTER_GRAPH_WARMUP);
    const Failed failed = failure_of([&] { group.graph_begin(MUSTER_GRAPH_CAPTURE); });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.cause, HasSubstr("is in phase "));
    group.graph_end(true);
  });
}

TEST_F(Graph, GivenABackendWithoutGraphsThenOnlyTheOtherServesInThemAndWarmUpIsAsCapture) {
  IdleBackend eager("eager", 99);
  EXPECT_CALL(eager, execute).Times(2);
  EXPECT_CALL(mock_, execute).Times(4);
  World(2).with(eager).with(mock_).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    EXPECT_EQ(group.backend(reduce_of(1)), "eager");
    group.execute(reduce_of(1));
    for (const muster_phase phase : {MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE}) {
      group.graph_begin(phase);
      EXPECT_EQ(group.backend(reduce_of(1)), "fast");
      group.execute(reduce_of(1));
      group.graph_end(true);
    }
  });
}

TEST(GraphScratch, GivenACompositionThatNeedsMoreThanIsReservedThenItSaysWhatToReserve) {
  const CapturedLog log;
  muster_rule rule = in_all_phases();
  rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
  ThreadBackend backend("base", {rule});
  with_group(2, backend.mock(), [](api::Group& group) {
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    std::vector<int> send(2000);
    std::vector<int> recv(4000);
    const Failed failed =
        failure_of([&] { group.gather(send.data(), recv.data(), 2000, MUSTER_I32, 0); });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.remedy, HasSubstr("muster_group_reserve(group, MUSTER_HOST, 16000)"));
  });
  EXPECT_TRUE(backend.seen().empty()) << "nothing was begun";
}

TEST(GraphScratch, GivenEnoughReservedThenTheCompositionRunsInTheGraphToo) {
  muster_rule rule = in_all_phases();
  rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
  ThreadBackend backend("base", {rule});
  with_group(2, backend.mock(), [](api::Group& group) {
    group.reserve(MUSTER_HOST, 16000);
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    std::vector<int> send(2000, static_cast<int>(group.rank()) + 1);
    std::vector<int> recv(4000);
    group.gather(send.data(), recv.data(), 2000, MUSTER_I32, 0);
    group.graph_end(true);
    if (group.rank() != 0) return;
    EXPECT_EQ(recv.front(), 1);
    EXPECT_EQ(recv.back(), 2);
  });
}

}  // namespace
}  // namespace muster::testing
