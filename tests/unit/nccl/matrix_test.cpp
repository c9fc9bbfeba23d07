// Every operation on simulated device memory, in every way in which a program may call, against the
// reference of the host's matrix. The same cases run on real devices in tests/gpu.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/gpu/runner.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

constexpr uint64_t kSeed = 20240815;
constexpr uint64_t kLargest = 200'000;

// Where the buffers lie.
enum class Memory { kOrdinary, kOfGroup };

void expect_right(uint32_t ranks, const std::string& config, Memory memory, uint64_t seed) {
  std::mutex mutex;
  std::vector<std::string> wrong;
  std::atomic<uint64_t> served{0};
  const World world = simulated_world(ranks, config + nccl_option("float_min_max", "true"))
                          .deadline(std::chrono::seconds(100));
  on_ranks(world, [&](api::Group& group, gpu::Device& device) {
    gpu::DeviceRunner runner(group.get(), device, 2 * kLargest, memory == Memory::kOfGroup);
    for (const gpu::DeviceCase& c : gpu::nccl_cases(ranks, seed, {kLargest})) {
      const ranks::Outcome outcome = runner.run(c);
      served += outcome.backend == "nccl" ? 1 : 0;
      if (outcome.ok() && (outcome.backend.empty() || outcome.backend == "nccl")) continue;
      const std::lock_guard<std::mutex> lock(mutex);
      wrong.push_back("rank " + std::to_string(group.rank()) + ", served by '" + outcome.backend +
                      "', " + gpu::text_of(c) + ": " + outcome.failure + outcome.wrong.first);
      if (!outcome.failure.empty()) {
        group.abort();
        return;
      }
    }
  });
  EXPECT_TRUE(wrong.empty()) << wrong.size() << " wrong, the first: " << wrong.front();
  EXPECT_GT(served, 100 * ranks);
}

TEST(NcclMatrix, GivenTwoRanksThenEveryOperationIsRight) {
  expect_right(2, "", Memory::kOrdinary, kSeed);
}

TEST(NcclMatrix, GivenFiveRanksThenEveryOperationIsRight) {
  expect_right(5, "", Memory::kOrdinary, kSeed + 1);
}

TEST(NcclMatrix, GivenMemoryOfTheGroupThenEveryOperationIsRight) {
  expect_right(3, "", Memory::kOfGroup, kSeed + 2);
}

TEST(NcclMatrix, GivenTheOldestVersionThenWhatItLacksIsMadeOfMessages) {
  expect_right(3, nccl_option("library", "\"" NCCL_2_18 "\""), Memory::kOrdinary, kSeed + 3);
}

TEST(NcclMatrix, GivenCommunicatorsThatDoNotBlockThenEveryOperationIsRight) {
  expect_right(2, nccl_option("blocking", "false"), Memory::kOrdinary, kSeed + 4);
}

}  // namespace
}  // namespace muster::testing
