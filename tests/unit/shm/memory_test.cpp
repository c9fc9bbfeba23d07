// Memory of a group that shm serves: what the runtime allocates it maps, what the program brings it
// copies, and the decisions can be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/entry.h"
#include "tests/unit/agree/recorder.hpp"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void on_ranks(uint32_t ranks, const std::function<void(api::Runtime&, api::Group&)>& body) {
  World(ranks).with(&muster_plugin_entry).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    body(runtime, group);
  });
}

// An all_reduce from one place to another, checked.
void reduce(api::Group& group, int* send, int* recv, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i)
    send[i] = static_cast<int>(i) + static_cast<int>(group.rank());
  group.all_reduce(send, recv, count, MUSTER_SUM);
  const int n = static_cast<int>(group.size());
  for (uint64_t i = 0; i < count; ++i) {
    ASSERT_EQ(recv[i], n * static_cast<int>(i) + n * (n - 1) / 2) << i;
  }
}

TEST(ShmMemory, GivenAnAllocationThenItIsMappedAndCallsOnItAreRight) {
  on_ranks(3, [](api::Runtime& runtime, api::Group& group) {
    constexpr uint64_t kCount = 40'000;
    const api::Buffer<int> memory(group, 3 * kCount);
    EXPECT_THAT(runtime.describe(), HasSubstr("with shm"));
    EXPECT_THAT(runtime.describe(), Not(HasSubstr("not registered")));
    reduce(group, memory.data(), memory.data() + kCount, kCount);
    std::vector<int> own(kCount);
    reduce(group, memory.data() + 1, own.data(), kCount);
    reduce(group, own.data(), memory.data() + 2 * kCount, kCount);
    // Inside on some ranks only.
    reduce(group, group.rank() == 1 ? own.data() : memory.data() + 7, memory.data() + kCount + 5,
           kCount / 2);
  });
}

// Each rank writes to the results of all, around the caches where they do not replace sources.
TEST(ShmMemory, GivenSomeRanksInPlaceWhenResultsAreWrittenToEachThenTheyAreRight) {
  World(3)
      .with(&muster_plugin_entry)
      .config("backend.shm.options.stream_bytes = 65536")
      .run([](api::Runtime& runtime, uint32_t) {
        api::Group group(runtime);
        constexpr uint64_t kCount = 40'003;
        const api::Buffer<int> memory(group, 3 * kCount);
        int* const first = memory.data();
        int* const second = memory.data() + kCount + 3;
        for (uint32_t round = 0; round < 4; ++round) {
          reduce(group, first, group.rank() == round ? first : second, kCount);
          reduce(group, second + 1, group.rank() < round ? second + 1 : first + 2, kCount - 9);
          reduce(group, first, second, 10'000);
        }
      });
}

TEST(ShmMemory, GivenMemoryOfTheProgramThenItIsCopiedAndThatIsNoFailure) {
  on_ranks(2, [](api::Runtime& runtime, api::Group& group) {
    std::vector<int> own(20'000);
    group.mem_register(own.data(), own.size() * sizeof(int));
    EXPECT_THAT(runtime.describe(), HasSubstr("not registered"));
    EXPECT_THAT(runtime.describe(), HasSubstr("with shm, which copies: rank 0: shm: "));
    reduce(group, own.data(), own.data() + 10'000, 10'000);
    group.mem_deregister(own.data());
    reduce(group, own.data(), own.data() + 10'000, 10'000);
  });
}

TEST(ShmMemory, GivenPiecesThatComeAndGoBetweenCallsThenTheRanksStayTogether) {
  on_ranks(2, [](api::Runtime&, api::Group& group) {
    for (uint64_t i = 0; i < 30; ++i) {
      const api::Buffer<int> first(group, 1000 + i);
      const api::Buffer<int> second(group, 50'000);
      reduce(group, first.data() + i, second.data() + i, 900);
      reduce(group, second.data(), second.data() + 25'000, 25'000);
    }
  });
}

TEST(ShmMemory, GivenAllocationsThatAreLeftOverThenTheLastRankStillUsesThem) {
  const CapturedLog log;
  on_ranks(2, [](api::Runtime&, api::Group& group) {
    void* memory = nullptr;
    api::check(muster_mem_alloc(group.get(), 80'000, MUSTER_HOST, &memory));
    auto* const ints = static_cast<int*>(memory);
    reduce(group, ints, ints + 10'000, 10'000);
    if (group.rank() == 1) return;
    ints[19'999] = 5;
    EXPECT_EQ(ints[19'999], 5);
  });
  EXPECT_EQ(log.count("ends with 80000 bytes of muster_mem_alloc"), 2);
}

}  // namespace
}  // namespace muster::testing
