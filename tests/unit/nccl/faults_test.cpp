// What goes wrong after the start: failing calls, peers that do not come, aborts; every wait ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

// Keeps the ranks that have nothing to do until the one that has is done.
class Done {
 public:
  void wait() const {
    while (!done_) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  void set() { done_ = true; }

 private:
  std::atomic<bool> done_{false};
};

void sum(api::Group& group, const Numbers& numbers, const api::Options& options) {
  api::check(muster_all_reduce(group.get(), numbers.data(), numbers.data(), numbers.count(),
                               MUSTER_I32, MUSTER_SUM, &options));
}

TEST(NcclFaults, GivenACallThatFailsThenNcclsWordsAreToldAndTheGroupIsBroken) {
  on_ranks(simulated_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, 4);
    group.barrier();
    if (group.rank() == 0) set_switch("SIMULATED_NCCL_FAIL", "ncclAllReduce=1");
    group.barrier();
    const Refused failed = refusal_of([&] { sum(group, numbers, on_stream(device)); });
    EXPECT_EQ(failed.code, MUSTER_INTERNAL);
    EXPECT_THAT(failed.cause,
                HasSubstr("ncclAllReduce: unhandled cuda error: ncclAllReduce fails because"));
    EXPECT_THAT(failed.remedy, HasSubstr("NCCL_DEBUG=WARN"));
    EXPECT_EQ(refusal_of([&] { sum(group, numbers, on_stream(device)); }).code,
              MUSTER_FAILED_PRECONDITION);
  });
  set_switch("SIMULATED_NCCL_FAIL", "");
}

TEST(NcclFaults, GivenAPeerThatDoesNotComeThenAHostCallEndsAtTheDeadline) {
  Done done;
  on_ranks(simulated_world(2, "", 400), [&](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, 4);
    if (group.rank() == 1) return done.wait();
    const Refused failed = refusal_of([&] { sum(group, numbers, {}); });
    EXPECT_EQ(failed.code, MUSTER_DEADLINE_EXCEEDED);
    EXPECT_THAT(failed.remedy, HasSubstr("same calls in the same order"));
    done.set();
  });
}

TEST(NcclFaults, GivenAPeerThatDoesNotComeThenAnAbortEndsAHostCall) {
  Done done;
  on_ranks(simulated_world(2), [&](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, 4);
    if (group.rank() == 1) return done.wait();
    std::thread aborts([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      group.abort();
    });
    EXPECT_EQ(refusal_of([&] { sum(group, numbers, {}); }).code, MUSTER_ABORTED);
    aborts.join();
    done.set();
  });
}

TEST(NcclFaults, GivenAFailureAfterTheFactThenAHostCallEndsWithIt) {
  Done done;
  on_ranks(simulated_world(2), [&](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, 4);
    group.barrier();
    if (group.rank() == 1) return done.wait();
    set_switch("SIMULATED_NCCL_ASYNC", "6");
    const Refused failed = refusal_of([&] { sum(group, numbers, {}); });
    EXPECT_EQ(failed.code, MUSTER_PEER_LOST);
    EXPECT_THAT(failed.cause, HasSubstr("remote process exited"));
    done.set();
  });
  set_switch("SIMULATED_NCCL_ASYNC", "");
}

TEST(NcclFaults, GivenACommunicatorThatDoesNotEndThenTheGroupDoesAndSaysSo) {
  std::string lines;
  muster_set_log_sink([](void* context, muster_log_level,
                         const char* line) { *static_cast<std::string*>(context) += line; },
                      &lines);
  World(simulated_world(2)).run([](api::Runtime& runtime, uint32_t rank) {
    gpu::Device device(rank);
    api::Group group(runtime, on_devices());
    group.barrier();
    if (rank == 0) set_switch("SIMULATED_NCCL_HANG_DESTROY", "1");
    group.barrier();
    if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  });
  set_switch("SIMULATED_NCCL_HANG_DESTROY", "");
  muster_set_log_sink(nullptr, nullptr);
  EXPECT_THAT(lines, HasSubstr("it ends in the background"));
}

TEST(NcclFaults, GivenOneRankThatAbortsItsCaptureThenTheGroupGoesOn) {
  on_ranks(simulated_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{1, 2});
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    {
      const gpu::Device::Graph graph(device, [&] { sum(group, numbers, on_stream(device)); });
      EXPECT_EQ(refusal_of([&] { group.graph_end(group.rank() != 1); }).code, MUSTER_ABORTED);
    }
    sum(group, numbers, on_stream(device));
    EXPECT_EQ(numbers.values(), (std::vector<int32_t>{2, 4}));
  });
}

}  // namespace
}  // namespace muster::testing
