// World over a C API of this file's own, so that what World does is tested apart from the runtime.
#include "muster/testing/world.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

struct muster_threads {
  uint32_t size;
};
struct muster_runtime {
  uint32_t rank;
};
struct muster_status {
  std::string cause;
};

namespace {

struct Seen {
  std::mutex mutex;
  std::map<uint32_t, std::string> config;
  std::map<uint32_t, std::vector<std::string>> ids;
  std::map<uint32_t, int32_t> devices;  // plus one
  std::atomic<int> runtimes{0};
  std::atomic<int> worlds{0};
  uint32_t refused_rank = UINT32_MAX;
};
Seen seen;

}  // namespace

extern "C" {
muster_code muster_status_code(const muster_status*) { return MUSTER_MISMATCH; }
const char* muster_status_cause(const muster_status* status) { return status->cause.c_str(); }
const char* muster_status_remedy(const muster_status*) { return ""; }
void muster_status_release(muster_status* status) { delete status; }
muster_status* muster_threads_create(uint32_t size, muster_threads** out) {
  ++seen.worlds;
  *out = new muster_threads{size};
  return nullptr;
}
void muster_threads_release(muster_threads* threads) {
  --seen.worlds;
  delete threads;
}
muster_status* muster_init(const muster_runtime_options* options, muster_runtime** out) {
  const std::lock_guard lock(seen.mutex);
  const uint32_t rank = options->thread_rank;
  if (rank == seen.refused_rank) return new muster_status{"policy differs"};
  seen.config[rank] = options->config_text;
  seen.ids[rank].clear();
  seen.devices[rank] = options->device_plus_one;
  for (uint32_t i = 0; i < options->builtin_count; ++i) {
    seen.ids[rank].emplace_back(options->builtin[i]->id);
  }
  ++seen.runtimes;
  *out = new muster_runtime{rank};
  return nullptr;
}
void muster_finalize(muster_runtime* runtime) {
  --seen.runtimes;
  delete runtime;
}
}

namespace muster::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct WorldTest : ::testing::Test {
  void SetUp() override {
    seen.refused_rank = UINT32_MAX;
    seen.devices.clear();
  }
  void TearDown() override {
    EXPECT_EQ(seen.runtimes.load(), 0);
    EXPECT_EQ(seen.worlds.load(), 0);
  }
};

TEST_F(WorldTest, GivenFourRanksWhenRunThenTheBodyRunsOnceOnEachInAThreadOfItsOwn) {
  std::mutex mutex;
  std::set<uint32_t> ranks;
  std::set<std::thread::id> threads;
  World(4).run([&](api::Runtime& runtime, uint32_t rank) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(runtime.get()->rank, rank);
    ranks.insert(rank);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_THAT(ranks, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(threads.size(), 4u);
}

TEST_F(WorldTest, GivenBackendsAndConfigurationThenEveryRankGetsItsOwn) {
  const MockBackend common("common");
  const MockBackend only_one("only_one");
  World(2)
      .with(common)
      .with_on_rank(1, only_one)
      .config_of_rank(1, "# other")
      .run([](api::Runtime&, uint32_t) {});
  EXPECT_THAT(seen.ids[0], ElementsAre("common"));
  EXPECT_THAT(seen.ids[1], ElementsAre("common", "only_one"));
  EXPECT_EQ(seen.config[0], World::kMockedConfig);
  EXPECT_EQ(seen.config[1], "# other");
}

TEST_F(WorldTest, GivenFailuresThenAllAreGatheredWithTheirRanks) {
  seen.refused_rank = 2;
  try {
    World(4).run([](api::Runtime&, uint32_t rank) {
      if (rank == 1) throw std::runtime_error("boom");
      if (rank == 3) throw 3;
    });
    FAIL() << "three ranks failed";
  } catch (const WorldFailure& failure) {
    ASSERT_EQ(failure.failures().size(), 3u);
    EXPECT_EQ(failure.failures()[0].rank, 1u);
    EXPECT_EQ(failure.failures()[0].code, MUSTER_INTERNAL);
    EXPECT_EQ(failure.failures()[1].rank, 2u);
    EXPECT_EQ(failure.failures()[1].code, MUSTER_MISMATCH);
    EXPECT_THAT(failure.what(),
                HasSubstr("rank 1: boom\nrank 2: MISMATCH: policy differs\nrank 3:"));
  }
}

using WorldDeathTest = WorldTest;
TEST_F(WorldDeathTest, GivenARankThatDoesNotReturnThenTheProcessEndsAndNamesIt) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      World(3).deadline(std::chrono::milliseconds(200)).run([](api::Runtime&, uint32_t rank) {
        if (rank == 0) throw std::runtime_error("first");
        while (rank == 1) std::this_thread::sleep_for(std::chrono::seconds(1));
      }),
      "of 3 ranks these did not return in 200 ms: 1\n.*rank 0 had failed: first");
}

TEST_F(WorldTest, GivenDevicesThenEachRankIsBoundToItsOwn) {
  World(2).devices({3}).run([](api::Runtime&, uint32_t) {});
  EXPECT_EQ(seen.devices, (std::map<uint32_t, int32_t>{{0, 4}, {1, 0}}));
}

}  // namespace
}  // namespace muster::testing
