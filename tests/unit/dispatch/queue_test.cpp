// Started calls: they begin in the order given, whatever kind of backend serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <barrier>
#include <future>
#include <thread>

#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

// Counts of the calls that reached a backend, in order, per rank.
class Order {
 public:
  void add(uint32_t rank, uint64_t count) {
    const std::lock_guard lock(mutex_);
    seen_[rank].push_back(count);
  }
  std::vector<uint64_t> of(uint32_t rank) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(rank);
    return found == seen_.end() ? std::vector<uint64_t>() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint32_t, std::vector<uint64_t>> seen_;
};

TEST(Queue, GivenABackendThatOnlyBlocksThenAStartedCallRunsOnAThreadOfTheGroup) {
  IdleBackend mock("blocking");
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  std::mutex mutex;
  std::set<std::thread::id> callers;
  std::set<std::thread::id> executors;
  ON_CALL(mock, execute).WillByDefault([&](MockGroup&, const muster_call&) {
    gate.wait();
    const std::lock_guard lock(mutex);
    executors.insert(std::this_thread::get_id());
  });
  std::atomic<int> started{0};
  with_group(2, mock, [&](api::Group& group) {
    api::Work work = group.start(reduce_of(1));
    EXPECT_FALSE(work.test());
    {
      const std::lock_guard lock(mutex);
      callers.insert(std::this_thread::get_id());
    }
    if (++started == 2) open.set_value();
    work.wait();
    EXPECT_TRUE(work.test());
    work.wait();
  });
  EXPECT_EQ(executors.size(), 2u);
  for (const std::thread::id& caller : callers) EXPECT_EQ(executors.count(caller), 0u);
}

// As where no process may be started any more: no thread can have its stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t endless;
    pthread_getattr_default_np(&endless);
    pthread_attr_setstacksize(&endless, size_t{1} << 50);
    pthread_setattr_default_np(&endless);
    pthread_attr_destroy(&endless);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(Queue, GivenNoThreadForAStartedCallThenItFailsAndTheGroupGoesOn) {
  MockBackend mock("blocking");
  std::barrier together(2);
  std::unique_ptr<NoThreads> none;
  with_group(2, mock, [&](api::Group& group) {
    together.arrive_and_wait();
    if (group.rank() == 0) none = std::make_unique<NoThreads>();
    together.arrive_and_wait();
    api::Work work = group.start(reduce_of(1));
    const Failed failed = failure_of([&] { work.wait(); });
    together.arrive_and_wait();
    if (group.rank() == 0) none.reset();
    together.arrive_and_wait();
    EXPECT_EQ(failed.code, MUSTER_RESOURCE_EXHAUSTED);
    EXPECT_THAT(failed.cause, HasSubstr("no thread for the started calls of group"));
    EXPECT_THAT(failed.remedy, HasSubstr("ulimit -u"));
    group.execute(reduce_of(2));
    group.start(reduce_of(3)).wait();
  });
}

class QueueOrder : public ::testing::TestWithParam<uint32_t> {};

TEST_P(QueueOrder, GivenStartedAndBlockingCallsThenTheyReachTheBackendInTheOrderGiven) {
  IdleBackend mock("fast", 50, GetParam());
  Order order;
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    order.add(group.rank(), call.count);
  });
  with_group(2, mock, [&](api::Group& group) {
    std::vector<api::Work> works;
    works.push_back(group.start(reduce_of(1)));
    works.push_back(group.start(reduce_of(2)));
    works.push_back(group.start(reduce_of(3)));
    group.execute(reduce_of(4));
    works.push_back(group.start(reduce_of(5)));
    const muster_call batch[] = {reduce_of(6), reduce_of(7)};
    group.batch(batch, 2);
    works.push_back(group.start(reduce_of(8)));
    api::Plan plan = group.plan(reduce_of(9));
    plan.run();
    for (api::Work& work : works) work.wait();
  });
  for (uint32_t rank = 0; rank < 2; ++rank)
    EXPECT_EQ(order.of(rank), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9})) << rank;
}

INSTANTIATE_TEST_SUITE_P(Kinds, QueueOrder, ::testing::Values(0u, uint32_t{kMockStart}),
                         [](const auto& info) { return info.param == 0 ? "Blocking" : "Started"; });

TEST(Queue, GivenABackendThatStartsThenTheWaitingThreadLooksAtEveryOutstandingCall) {
  IdleBackend mock("fast", 50, kMockStart);
  struct Request {
    uint64_t count;
    std::thread::id starter;
    int looks = 0;
  };
  std::atomic<int> looks_at_second{0};
  ON_CALL(mock, start).WillByDefault([](MockGroup&, const muster_call& call) {
    return reinterpret_cast<muster_request*>(new Request{call.count, std::this_thread::get_id()});
  });
  // The first call is done only after the second has been looked at: one that is waited for may
  // need another to move on.
  ON_CALL(mock, test).WillByDefault([&](MockGroup&, muster_request* opaque) {
    auto* const request = reinterpret_cast<Request*>(opaque);
    EXPECT_EQ(request->starter, std::this_thread::get_id());
    ++request->looks;
    if (request->count == 2) ++looks_at_second;
    const bool done =
        request->count == 1 ? request->looks >= 3 && looks_at_second > 0 : request->looks >= 5;
    if (done) delete request;
    return done;
  });
  EXPECT_CALL(mock, execute).Times(0);
  with_group(2, mock, [&](api::Group& group) {
    api::Work first = group.start(reduce_of(1));
    api::Work second = group.start(reduce_of(2));
    EXPECT_FALSE(first.test());
    first.wait();
    second.wait();
    EXPECT_TRUE(second.test());
  });
}

TEST(Queue, GivenABackendThatStartsAndOneThatBlocksThenTheyAreNeverOutstandingTogether) {
  IdleBackend starts("starts", 90, kMockStart);
  IdleBackend blocks("blocks", 10);
  ON_CALL(starts, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.ops = MUSTER_BIT(MUSTER_ALL_REDUCE);
    query.add(rule);
  });
  std::atomic<int> outstanding{0};
  ON_CALL(starts, start).WillByDefault([&](MockGroup& group, const muster_call&) {
    if (group.rank() == 0) ++outstanding;
    return reinterpret_cast<muster_request*>(&outstanding);
  });
  ON_CALL(starts, test).WillByDefault([&](MockGroup& group, muster_request*) {
    if (group.rank() == 0) --outstanding;
    return true;
  });
  ON_CALL(blocks, execute).WillByDefault([&](MockGroup& group, const muster_call&) {
    if (group.rank() == 0) {
      EXPECT_EQ(outstanding.load(), 0);
    }
  });
  World(2).with(starts).with(blocks).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    muster_call barrier = muster_call_init(MUSTER_BARRIER, MUSTER_DTYPE_NONE);
    std::vector<api::Work> works;
    works.push_back(group.start(reduce_of(1)));
    works.push_back(group.start(barrier));
    works.push_back(group.start(reduce_of(2)));
    group.execute(barrier);
    for (api::Work& work : works) work.wait();
  });
}

TEST(Queue, GivenWorkThatIsNotReleasedThenTheGroupStaysAndSaysWhy) {
  IdleBackend mock("fast");
  with_group(2, mock, [](api::Group& group) {
    {
      api::Work work = group.start(reduce_of(1));
      const Failed failed = failure_of([&] { group.destroy(); });
      EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
      EXPECT_THAT(failed.cause, HasSubstr("1 works or plans outstanding"));
      work.wait();
    }
    group.execute(reduce_of(2));
    group.destroy();
  });
}

TEST(Queue, GivenAWorkThatIsReleasedAtOnceThenTheReleaseWaitsForIt) {
  IdleBackend mock("fast");
  std::atomic<int> executed{0};
  ON_CALL(mock, execute).WillByDefault([&](MockGroup&, const muster_call&) { ++executed; });
  with_group(2, mock, [&](api::Group& group) {
    for (int i = 0; i < 10; ++i) group.start(reduce_of(1));
  });
  EXPECT_EQ(executed, 20);
}

TEST(Queue, GivenAFailedCallThenWhatWaitsBehindItIsNotBegunAndTheGroupIsBroken) {
  const CapturedLog log;
  IdleBackend mock("fast");
  Order order;
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    order.add(group.rank(), call.count);
    if (call.count != 2) return;
    gate.wait();
    plugin::fail(MUSTER_PEER_LOST, "rank 1 died");
  });
  std::atomic<int> started{0};
  with_group(2, mock, [&](api::Group& group) {
    api::Work first = group.start(reduce_of(1));
    api::Work second = group.start(reduce_of(2));
    api::Work third = group.start(reduce_of(3));
    if (++started == 2) open.set_value();
    EXPECT_EQ(failure_of([&] { first.wait(); }).code, MUSTER_OK);
    const Failed failed = failure_of([&] { second.wait(); });
    EXPECT_EQ(failed.code, MUSTER_PEER_LOST);
    EXPECT_THAT(failed.cause, HasSubstr("all_reduce on group group, rank "));
    EXPECT_EQ(failure_of([&] { second.test(); }).code, MUSTER_PEER_LOST) << "told every time";
    EXPECT_EQ(failure_of([&] { third.wait(); }).code, MUSTER_ABORTED);
    EXPECT_EQ(failure_of([&] { group.start(reduce_of(4)); }).code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(failure_of([&] { group.execute(reduce_of(5)); }).code, MUSTER_FAILED_PRECONDITION);
  });
  EXPECT_EQ(order.of(0), (std::vector<uint64_t>{1, 2}));
}

TEST(Queue, GivenAStartedCallThatFailsAtItsTestThenTheWorkTellsAndTheGroupIsBroken) {
  const CapturedLog log;
  IdleBackend mock("fast", 50, kMockStart);
  ON_CALL(mock, test).WillByDefault([](MockGroup&, muster_request*) -> bool {
    plugin::fail(MUSTER_INTERNAL, "kernel crashed");
  });
  with_group(2, mock, [](api::Group& group) {
    api::Work work = group.start(reduce_of(1));
    EXPECT_THAT(failure_of([&] { work.wait(); }).cause, HasSubstr("kernel crashed"));
    EXPECT_EQ(failure_of([&] { group.execute(reduce_of(2)); }).code, MUSTER_FAILED_PRECONDITION);
  });
}

// A world whose backend starts calls and never reports one done.
void with_endless_calls(const std::string& config, const std::function<void(api::Group&)>& body) {
  IdleBackend mock("endless", 50, kMockStart);
  ON_CALL(mock, test).WillByDefault(::testing::Return(false));
  World(2)
      .with(mock)
      .config("check.known_answer = false\n" + config)
      .run([&](api::Runtime& runtime, uint32_t) {
        api::Group group(runtime);
        body(group);
        EXPECT_EQ(failure_of([&] { group.execute(reduce_of(2)); }).code,
                  MUSTER_FAILED_PRECONDITION);
      });
}

TEST(Queue, GivenAStartedCallThatIsNeverDoneThenItIsGivenUpWhenItsTimeIsOver) {
  const CapturedLog log;
  with_endless_calls("group.timeout_ms = 200", [](api::Group& group) {
    api::Work first = group.start(reduce_of(1));
    api::Work second = group.start(reduce_of(2));
    const Failed failed = failure_of([&] { first.wait(); });
    EXPECT_EQ(failed.code, MUSTER_DEADLINE_EXCEEDED);
    EXPECT_THAT(failed.cause, HasSubstr("backend endless has not ended it in 200 ms"));
    EXPECT_EQ(failure_of([&] { second.wait(); }).code, MUSTER_ABORTED);
  });
}

TEST(Queue, GivenAStartedCallThatIsNeverDoneThenAnAbortEndsTheWait) {
  const CapturedLog log;
  with_endless_calls("", [](api::Group& group) {
    api::Work first = group.start(reduce_of(1));
    api::Work second = group.start(reduce_of(2));
    EXPECT_FALSE(second.test());
    std::thread aborts([&] { group.abort(); });
    EXPECT_EQ(failure_of([&] { first.wait(); }).code, MUSTER_ABORTED);
    aborts.join();
    EXPECT_EQ(failure_of([&] { second.test(); }).code, MUSTER_ABORTED);
  });
}

TEST(Queue, GivenACallThatNobodyOffersThenTheStartedWorkTells) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.ops = MUSTER_BIT(MUSTER_ALL_TO_ALL);
    query.add(rule);
  });
  with_group(2, mock, [](api::Group& group) {
    api::Work work = group.start(reduce_of(1));
    EXPECT_EQ(failure_of([&] { work.wait(); }).code, MUSTER_UNAVAILABLE);
  });
}

TEST(Queue, GivenStartedCallsWhenCountersAreReadThenAllOfThemAreCounted) {
  IdleBackend mock("blocking");
  with_group(2, mock, [](api::Group& group) {
    std::vector<api::Work> works;
    for (uint64_t i = 0; i < 20; ++i) works.push_back(group.start(reduce_of(1)));
    uint64_t calls = 0;
    group.counters([](void* sum, muster_op, const char*, uint64_t more,
                      uint64_t) { *static_cast<uint64_t*>(sum) += more; },
                   &calls);
    EXPECT_EQ(calls, 20u);
  });
}

}  // namespace
}  // namespace muster::testing
