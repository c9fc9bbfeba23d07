// The known-answer test on device memory: a library that computes wrong results does not serve, on
// any rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Time enough to ask everything, however slow the machine.
constexpr const char* kPatient = "check.known_answer_ms = 50000\n";

// Sums on device memory: right, and by whom; what the runtime says of it.
void expect_served(const World& world, const std::string& backend,
                   const std::function<void(const std::string& records)>& look) {
  world.run([&](api::Runtime& runtime, uint32_t rank) {
    gpu::Device device(rank);
    api::Group group(runtime, on_devices());
    const Numbers numbers(device, std::vector<int32_t>{2, 3});
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
    call.redop = MUSTER_SUM;
    call.send = call.recv = numbers.data();
    call.count = 2;
    call.stream = device.stream();
    EXPECT_EQ(group.backend(call), backend);
    group.execute(call);
    const auto size = static_cast<int32_t>(group.size());
    EXPECT_EQ(numbers.values(), (std::vector<int32_t>{2 * size, 3 * size}));
    look(records_of(runtime));
  });
}

TEST(NcclKnownAnswer, GivenAnHonestLibraryThenItIsAskedOnDeviceMemoryAndServes) {
  expect_served(simulated_world(3, kPatient), "nccl", [](const std::string& records) {
    EXPECT_THAT(records, HasSubstr(" known answers\""));
    EXPECT_THAT(records, Not(HasSubstr("untested")));
  });
}

TEST(NcclKnownAnswer, GivenHardlyAnyTimeThenWhatFollowsTheFirstCallsIsAskedAllTheSame) {
  const auto asked = [](const std::string& records) {
    const size_t end = records.find(" known answers");
    return std::stoul(records.substr(records.rfind('"', end) + 1));
  };
  // In its first calls a library connects.
  const Environment slow("SIMULATED_NCCL_CONNECT_MS", "5");
  expect_served(simulated_world(2, "check.known_answer_ms = 1\n"), "nccl",
                [&](const std::string& records) { EXPECT_GT(asked(records), 16u); });
}

TEST(NcclKnownAnswer, GivenAWrongSumOnOneRankThenItIsOutOnAllRanksAndTheNextBestServes) {
  const Environment wrong("SIMULATED_NCCL_WRONG_SUM", "1");
  expect_served(simulated_world(3, kPatient), "composed(shm)", [](const std::string& records) {
    EXPECT_THAT(records, HasSubstr("known-answer test: rank 1: all_reduce "));
    EXPECT_THAT(records, HasSubstr("elements wrong, the first is 0: "));
  });
}

TEST(NcclKnownAnswer, GivenACallThatNeverEndsThenItIsOutAtTheDeadline) {
  const Environment hanging("SIMULATED_NCCL_HANG_CALLS", "1");
  expect_served(simulated_world(2, kPatient, 1500), "composed(shm)",
                [](const std::string& records) {
                  EXPECT_THAT(records, HasSubstr("one of 16 calls, all_reduce "));
                  EXPECT_THAT(records, HasSubstr("it was not done after 1500 ms"));
                });
}

TEST(NcclKnownAnswer, GivenNoMemoryOnOneRankThenAllRanksKnow) {
  const Environment failing("SIMULATED_CUDA_FAIL", "cuMemCreate=2@2,cuMemAlloc=2@2");
  simulated_world(2, kPatient).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime, on_devices());
    EXPECT_THAT(records_of(runtime), HasSubstr("known-answer test: rank "));
    EXPECT_THAT(records_of(runtime), HasSubstr("the test's memory"));
  });
}

}  // namespace
}  // namespace muster::testing
