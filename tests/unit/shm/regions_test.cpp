// Memory that every rank has mapped: found by address and by id, written by one rank and read by
// the others, and refused on all ranks alike where one of them cannot share.
#include "plugins/backends/shm/regions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "core/query/host_memory.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

using plugin::Failure;
using shm::Region;
using shm::Regions;
using ::testing::HasSubstr;

std::unique_ptr<HostMemory> allocate(uint64_t bytes) {
  auto memory = HostMemory::allocate(bytes);
  EXPECT_TRUE(memory.ok()) << memory.status().message();
  return std::move(*memory);
}

// The code with which a body fails, and the cause.
std::pair<muster_code, std::string> failure_of(const std::function<void()>& body) {
  try {
    body();
    return {MUSTER_OK, ""};
  } catch (const Failure& failure) {
    return {failure.code(), failure.cause()};
  }
}

TEST(Regions, GivenNoneThenNothingIsFound) {
  World world(2);
  run_unconnected(world, [](Rank& rank) {
    const Regions regions(rank.runtime());
    int data = 0;
    EXPECT_TRUE(regions.empty());
    EXPECT_EQ(regions.find(&data, sizeof(data)), nullptr);
    EXPECT_EQ(regions.find(1u), nullptr);
  });
}

TEST(Regions, GivenMemoryOfEveryRankThenItsInsideIsFoundAndNothingBeside) {
  World world(3);
  run_unconnected(world, [](Rank& rank) {
    Regions regions(rank.runtime());
    const auto memory = allocate(8192);
    std::byte* const base = memory->data();
    const Region* const region = regions.add(base, 8000, MUSTER_HOST);
    EXPECT_EQ(regions.find(base, 8000), region);
    EXPECT_EQ(regions.find(base + 7999, 1), region);
    EXPECT_EQ(regions.find(base + 64, 0), region);
    EXPECT_EQ(regions.find(base, 8001), nullptr);
    EXPECT_EQ(regions.find(base + 1, 8000), nullptr);
    EXPECT_EQ(regions.find(base + 8001, 0), nullptr);
    EXPECT_EQ(regions.find(base - 1, 2), nullptr);
    EXPECT_EQ(region->offset(base + 100), 100u);
    EXPECT_EQ(region->peer(rank.rank(), 100), base + 100);
  });
}

TEST(Regions, GivenManyInAnyOrderOfAddressesThenEachIsFoundUntilItIsRemoved) {
  World world(2);
  run_unconnected(world, [](Rank& rank) {
    Regions regions(rank.runtime());
    std::vector<std::unique_ptr<HostMemory>> memory;
    for (int i = 0; i < 9; ++i) memory.push_back(allocate(4096));
    std::vector<const Region*> added;
    for (const int i : {4, 0, 8, 2, 6, 1, 7, 3, 5}) {
      added.push_back(regions.add(memory[i]->data(), 4096, MUSTER_HOST));
    }
    for (uint32_t i = 0; i < added.size(); ++i) {
      EXPECT_EQ(added[i]->id, i + 1);
      EXPECT_EQ(regions.find(i + 1), added[i]);
      EXPECT_EQ(regions.find(added[i]->base, 4096), added[i]);
    }
    std::byte* const third = added[2]->base;
    regions.remove(added[2]);
    EXPECT_EQ(regions.find(3u), nullptr);
    EXPECT_EQ(regions.find(third, 1), nullptr);
    EXPECT_EQ(regions.find(4u), added[3]);
    const Region* const again = regions.add(third, 4096, MUSTER_HOST);
    EXPECT_EQ(again->id, 10u) << "an id is never used again";
    EXPECT_EQ(regions.find(third, 1), again);
  });
}

// Every rank writes into its own part and into that of the next, and finds what the one before it
// wrote.
TEST(Regions, GivenAnyPartOfAnAllocationThenPeersReadAndWriteIt) {
  constexpr uint32_t kSize = 4;
  World world(kSize);
  run_unconnected(world, [&](Rank& rank) {
    Regions regions(rank.runtime());
    // Each rank's part lies somewhere else in its allocation.
    const auto memory = allocate(100'000);
    const uint64_t begins = 4096 * rank.rank() + 24 * rank.rank();
    std::byte* const base = memory->data() + begins;
    const Region& region = *regions.add(base, 50'000, MUSTER_HOST);
    const uint32_t next = (rank.rank() + 1) % kSize;
    const uint32_t before = (rank.rank() + kSize - 1) % kSize;
    std::memset(base, static_cast<int>(10 + rank.rank()), 25'000);
    std::memset(region.peer(next, 25'000), static_cast<int>(20 + rank.rank()), 25'000);
    uint32_t all[kSize];
    rank.runtime().all_gather(&next, sizeof(next), all);
    EXPECT_EQ(region.peer(next, 24'999)[0], std::byte(10 + next));
    EXPECT_EQ(base[25'000], std::byte(20 + before));
    EXPECT_EQ(base[49'999], std::byte(20 + before));
    EXPECT_EQ(memory->data()[begins + 50'000], std::byte(0)) << "written beside the region";
    rank.runtime().all_gather(&next, sizeof(next), all);
  });
}

TEST(Regions, GivenOneRankWithMemoryOfItsOwnThenAllAreToldAndLaterOnesWork) {
  World world(3);
  run_unconnected(world, [](Rank& rank) {
    Regions regions(rank.runtime());
    const auto memory = allocate(4096);
    std::vector<std::byte> own(4096);
    const auto [code, cause] = failure_of(
        [&] { regions.add(rank.rank() == 1 ? own.data() : memory->data(), 4096, MUSTER_HOST); });
    EXPECT_EQ(code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(cause, HasSubstr(rank.rank() == 1 ? "no memory of muster_mem_alloc" : "rank 1"));
    EXPECT_TRUE(regions.empty());
    const Region* const region = regions.add(memory->data(), 4096, MUSTER_HOST);
    EXPECT_EQ(region->id, 2u) << "the ids of the ranks must stay together";
  });
}

TEST(Regions, GivenMoreThanTheAllocationOrMemoryOfADeviceThenItIsUnavailable) {
  World world(2);
  run_unconnected(world, [](Rank& rank) {
    Regions regions(rank.runtime());
    const auto memory = allocate(4096);
    EXPECT_EQ(failure_of([&] { regions.add(memory->data(), 4097, MUSTER_HOST); }).first,
              MUSTER_UNAVAILABLE);
    EXPECT_EQ(failure_of([&] { regions.add(memory->data(), 4096, MUSTER_CUDA); }).first,
              MUSTER_UNAVAILABLE);
  });
}

TEST(Regions, GivenAPeerThatFreesItsMemoryThenTheMappingStaysUsableHere) {
  World world(2);
  run_unconnected(world, [](Rank& rank) {
    Regions regions(rank.runtime());
    auto memory = allocate(4096);
    memory->data()[7] = std::byte(rank.rank() + 1);
    const Region& region = *regions.add(memory->data(), 4096, MUSTER_HOST);
    uint32_t all[2];
    const uint32_t mine = rank.rank();
    rank.runtime().all_gather(&mine, sizeof(mine), all);
    memory.reset();
    rank.runtime().all_gather(&mine, sizeof(mine), all);
    EXPECT_EQ(region.peer(1 - mine, 7)[0], std::byte(1 - mine + 1));
  });
}

TEST(Regions, GivenTheBackendsTableThenRegistrationsComeAndGo) {
  World world(2);
  run_ranks(world, [](Rank& rank) {
    const auto memory = allocate(4096);
    std::vector<std::byte> own(4096);
    void* registration = nullptr;
    Status status = rank.memory_register(memory->data(), 4096, MUSTER_HOST, &registration);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_NE(registration, nullptr);
    rank.memory_deregister(registration);
    void* untouched = nullptr;
    status = rank.memory_register(own.data(), 4096, MUSTER_HOST, &untouched);
    EXPECT_EQ(status.code(), MUSTER_UNAVAILABLE) << status.message();
    EXPECT_EQ(untouched, nullptr);
    // One is left over when the group ends.
    status = rank.memory_register(memory->data(), 4096, MUSTER_HOST, &registration);
    EXPECT_TRUE(status.ok()) << status.message();
  });
}

// Processes: joined as threads of the test, then forked.
TEST(Regions, GivenProcessesThenEachReadsWhatTheOtherWrote) {
  World world(2);
  std::vector<std::unique_ptr<Rank>> ranks;
  std::vector<std::unique_ptr<Regions>> regions(2);
  std::vector<std::unique_ptr<HostMemory>> memory;
  std::vector<const Region*> region(2);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < 2; ++r) {
    ranks.push_back(std::make_unique<Rank>(&world, r));
    memory.push_back(allocate(1 << 20));
    regions[r] = std::make_unique<Regions>(ranks[r]->runtime());
  }
  for (uint32_t r = 0; r < 2; ++r) {
    threads.emplace_back(
        [&, r] { region[r] = regions[r]->add(memory[r]->data(), 1 << 20, MUSTER_HOST); });
  }
  for (std::thread& thread : threads) thread.join();
  // The last byte of a rank's part is its signal to the other.
  constexpr uint64_t kFlag = (1 << 20) - 8;
  const auto flag = [](std::byte* at) { return reinterpret_cast<uint64_t*>(at); };
  const auto body = [&](uint32_t r) {
    std::byte* const mine = memory[r]->data();
    for (uint64_t i = 0; i < kFlag; ++i) mine[i] = std::byte((i * 7 + r) & 0xff);
    __atomic_store_n(flag(mine + kFlag), 1, __ATOMIC_RELEASE);
    const std::byte* const theirs = region[r]->peer(1 - r, 0);
    while (__atomic_load_n(flag(region[r]->peer(1 - r, kFlag)), __ATOMIC_ACQUIRE) == 0) {
      sched_yield();
    }
    for (uint64_t i = 0; i < kFlag; ++i) {
      if (theirs[i] != std::byte((i * 7 + 1 - r) & 0xff)) return 1;
    }
    return 0;
  };
  std::vector<pid_t> children;
  for (uint32_t r = 0; r < 2; ++r) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);  // a peer that never comes
      _exit(body(r));
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int state = 0;
    waitpid(child, &state, 0);
    EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0) << state;
  }
}

}  // namespace
}  // namespace muster::shm_test
