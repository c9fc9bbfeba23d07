// Groups that fail: broken from then on, every wait ended, and everybody says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "core/dispatch/group.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

TEST(Broken, GivenACallThatFailsThenTheGroupRefusesFurtherOnesWithTheFirstCause) {
  const CapturedLog log;
  IdleBackend mock("fast", 50, kMockAbort);
  EXPECT_CALL(mock, execute(_, _)).Times(2).WillRepeatedly([](MockGroup&, const muster_call&) {
    plugin::fail(MUSTER_INTERNAL, "kernel crashed", "update the driver");
  });
  EXPECT_CALL(mock, abort).Times(2);
  with_group(2, mock, [](api::Group& group) {
    const Failed first = failure_of([&] { group.execute(reduce_of(1)); });
    EXPECT_EQ(first.code, MUSTER_INTERNAL);
    EXPECT_EQ(first.cause, "all_reduce on group group, rank " + std::to_string(group.rank()) +
                               ": fast: kernel crashed");
    EXPECT_EQ(first.remedy, "update the driver");
    for (int i = 0; i < 2; ++i) {
      const Failed next = failure_of([&] { group.execute(reduce_of(1)); });
      EXPECT_EQ(next.code, MUSTER_FAILED_PRECONDITION);
      EXPECT_THAT(next.cause, HasSubstr("group group is broken: "));
      EXPECT_THAT(next.cause, HasSubstr("kernel crashed"));
      EXPECT_FALSE(next.remedy.empty());
    }
    group.destroy();
  });
  EXPECT_GE(log.count("kernel crashed"), 2);
}

TEST(Broken, GivenOneBrokenGroupThenOthersOfTheSameRanksGoOn) {
  const CapturedLog log;
  IdleBackend mock("fast");
  ON_CALL(mock, execute).WillByDefault([](MockGroup& group, const muster_call&) {
    if (group.name() == "bad") plugin::fail(MUSTER_INTERNAL, "kernel crashed");
  });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::GroupOptions options;
    options.name = "bad";
    api::Group bad(runtime, options);
    options.name = "good";
    api::Group good(runtime, options);
    EXPECT_EQ(failure_of([&] { bad.execute(reduce_of(1)); }).code, MUSTER_INTERNAL);
    good.execute(reduce_of(1));
  });
}

TEST(Broken, GivenAWaitThatAnotherThreadAbortsThenItEndsAndTheGroupSaysSo) {
  const CapturedLog log;
  IdleBackend mock("fast");
  std::promise<void> waiting[2];
  std::atomic<int> ended{0};
  muster_wait_word words[2] = {};
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call&) {
    waiting[group.rank()].set_value();
    group.runtime().wait(&words[group.rank()], 1, 1 - group.rank());
  });
  with_group(2, mock, [&](api::Group& group) {
    std::thread aborts([&] {
      waiting[group.rank()].get_future().wait();
      group.abort();
      group.abort();
    });
    const Failed failed = failure_of([&] { group.execute(reduce_of(1)); });
    aborts.join();
    EXPECT_EQ(failed.code, MUSTER_ABORTED);
    EXPECT_THAT(failed.cause, HasSubstr("rank " + std::to_string(1 - group.rank())));
    const Failed next = failure_of([&] { group.execute(reduce_of(1)); });
    EXPECT_EQ(next.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(next.cause, HasSubstr("aborted by muster_group_abort"));
    ++ended;
    while (ended < 2) std::this_thread::yield();  // who leaves is gone
  });
}

TEST(Broken, GivenAnAbortWhileCallsComeThenTheyEndWithItAndNothingTears) {
  const CapturedLog log;
  IdleBackend mock("fast");
  with_group(2, mock, [&](api::Group& group) {
    std::thread aborts([&] { group.abort(); });
    Failed failed;
    while (failed.code == MUSTER_OK) failed = failure_of([&] { group.execute(reduce_of(1)); });
    aborts.join();
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.cause, HasSubstr("aborted by muster_group_abort"));
  });
}

TEST(Broken, GivenAPeerThatDoesNotComeThenTheWaitEndsAtTheDeadlineAndNamesIt) {
  const CapturedLog log;
  IdleBackend mock("fast");
  muster_wait_word words[2] = {};
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call&) {
    group.runtime().wait(&words[group.rank()], 1, 1 - group.rank());
  });
  std::atomic<int> ended{0};
  with_group(2, mock, [&](api::Group& group) {
    group.get()->context.timeout_ns = 20'000'000;  // after the set-up, which has time enough
    const Failed failed = failure_of([&] { group.execute(reduce_of(1)); });
    EXPECT_EQ(failed.code, MUSTER_DEADLINE_EXCEEDED);
    EXPECT_THAT(failed.cause, HasSubstr("waited 20 ms for rank " +
                                        std::to_string(1 - group.rank()) + " of group group"));
    EXPECT_THAT(failed.remedy, HasSubstr("timeout_ms"));
    ++ended;
    while (ended < 2) std::this_thread::yield();  // who leaves is gone
  });
}

TEST(Broken, GivenAWordThatIsSignalledThenTheWaitReturns) {
  IdleBackend mock("fast");
  muster_wait_word words[2] = {};
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call&) {
    group.runtime().signal(&words[1 - group.rank()], 1);
    group.runtime().wait(&words[group.rank()], 1, 1 - group.rank());
  });
  with_group(2, mock, [](api::Group& group) { group.execute(reduce_of(1)); });
}

TEST(Broken, GivenAWaitForARankThatTheGroupDoesNotHaveThenItIsRefused) {
  const CapturedLog log;
  IdleBackend mock("fast");
  muster_wait_word word{};
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call&) {
    group.runtime().wait(&word, 1, 2);
  });
  with_group(2, mock, [](api::Group& group) {
    EXPECT_EQ(failure_of([&] { group.execute(reduce_of(1)); }).code, MUSTER_INVALID_ARGUMENT);
  });
}

}  // namespace
}  // namespace muster::testing
