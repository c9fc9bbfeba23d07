#include "core/bootstrap/threads.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <optional>

#include "core/bootstrap/world.hpp"
#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::as_threads;
using ::muster::testing::far_deadline;
using ::testing::HasSubstr;

class Threads : public ::testing::Test {
 protected:
  static constexpr uint32_t kSize = 8;
  void SetUp() override { threads_ = *threads_create(kSize); }
  void TearDown() override { threads_destroy(threads_); }

  Result<std::unique_ptr<World>> join(uint32_t rank) {
    ThreadsSeat seat{threads_, rank};
    return World::open(threads_bootstrap(), reinterpret_cast<muster_instance*>(&seat), "threads",
                       far_deadline());
  }

  muster_threads* threads_ = nullptr;
  std::vector<uint32_t> all_ = [] {
    std::vector<uint32_t> ranks(kSize);
    std::iota(ranks.begin(), ranks.end(), 0u);
    return ranks;
  }();
};

TEST_F(Threads, GivenEightThreadsWhenTheyJoinSeveralTimesThenGenerationsNeverMix) {
  as_threads(kSize, [&](uint32_t rank) {
    for (uint64_t turn = 0; turn < 5; ++turn) {
      auto world = join(rank);
      ASSERT_TRUE(world.ok());
      ASSERT_EQ((*world)->size(), kSize);
      std::vector<uint64_t> values{turn, rank};
      auto result = (*world)->min_max(all_, 3, values, far_deadline());
      ASSERT_TRUE(result.ok()) << result.status().message();
      EXPECT_EQ((*result)[0].min, turn);
      EXPECT_EQ((*result)[0].max, turn);
      EXPECT_EQ((*result)[1].max, kSize - 1);
    }
  });
}

TEST_F(Threads, GivenTwoWorldsAtOnceWhenOneIsClosedThenTheOtherStillServes) {
  as_threads(kSize, [&](uint32_t rank) {
    auto first = join(rank);
    auto second = join(rank);
    std::string mine = "second of " + std::to_string(rank);
    ASSERT_TRUE((*first)->barrier(all_, 1, far_deadline()).ok());
    (*first).reset();
    auto parts = (*second)->all_gather(all_, 1, mine, far_deadline());
    ASSERT_TRUE(parts.ok()) << parts.status().message();
    for (uint32_t peer = 0; peer < kSize; ++peer) {
      EXPECT_EQ((*parts)[peer], "second of " + std::to_string(peer));
    }
  });
}

TEST_F(Threads, GivenARankThatLeavesEarlyWhenOthersWaitForItThenPeerLostNamesIt) {
  as_threads(kSize, [&](uint32_t rank) {
    auto world = join(rank);
    ASSERT_TRUE(world.ok());
    if (rank == 5) return;
    Status status = (*world)->barrier(all_, 1, far_deadline());
    EXPECT_EQ(status.code(), uint32_t{MUSTER_PEER_LOST});
    EXPECT_THAT(status.cause(), HasSubstr("rank "));
  });
}

TEST_F(Threads, GivenARankThatPutAndLeftWhenOthersReadItThenTheValueIsStillThere) {
  std::vector<uint32_t> pair{0, 1};
  {
    auto root = join(0);
    ASSERT_TRUE((*root)->broadcast(pair, 1, 0, "kept", far_deadline()).ok());
  }
  auto reader = join(1);
  auto bytes = (*reader)->broadcast(pair, 1, 0, "", far_deadline());
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  EXPECT_EQ(bytes.value(), "kept");
  auto more = (*reader)->broadcast(pair, 1, 0, "", far_deadline());
  EXPECT_EQ(more.status().code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(more.status().cause(), HasSubstr("rank 0 has left the world"));
}

TEST_F(Threads, GivenManyExchangesWhenAllHaveReadThenNothingIsHeld) {
  as_threads(kSize, [&](uint32_t rank) {
    auto world = join(rank);
    ASSERT_TRUE(world.ok());
    const std::vector<uint32_t> lone{rank};
    for (int turn = 0; turn < 100; ++turn) {
      ASSERT_TRUE((*world)->all_gather(all_, 1, "gathered", far_deadline()).ok());
      ASSERT_TRUE((*world)->broadcast(all_, 1, 3, "broadcast", far_deadline()).ok());
      ASSERT_TRUE((*world)->barrier(lone, 10 + rank, far_deadline()).ok());
      ASSERT_TRUE((*world)->broadcast(lone, 10 + rank, 0, "to itself", far_deadline()).ok());
    }
    // Who passes a barrier knows that all have read what was before it.
    ASSERT_TRUE((*world)->barrier(all_, 2, far_deadline()).ok());
    EXPECT_LE(threads_held(threads_), 2 * kSize) << "of this barrier and the next one";
    ASSERT_TRUE((*world)->barrier(all_, 2, far_deadline()).ok());
  });
}

TEST_F(Threads, GivenAWrongSeatWhenJoiningThenItIsRefused) {
  EXPECT_EQ(join(kSize).status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_THAT(join(kSize).status().cause(), HasSubstr("thread rank 8 is outside"));
  auto seatless = World::open(threads_bootstrap(), nullptr, "threads", far_deadline());
  EXPECT_EQ(seatless.status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(threads_create(0).status().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
}

TEST_F(Threads, GivenAKeyWhenPutTwiceThenTheSecondIsRefused) {
  const muster_bootstrap* table = threads_bootstrap();
  ThreadsSeat seat{threads_, 0};
  muster_world* world = nullptr;
  ASSERT_EQ(table->open(reinterpret_cast<muster_instance*>(&seat), far_deadline(), &world),
            nullptr);
  EXPECT_TRUE(Status(table->put(world, "key", "a", 1)).ok());
  Status second(table->put(world, "key", "b", 1));
  EXPECT_EQ(second.code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_THAT(second.cause(), HasSubstr("rank 0 puts key 'key' a second time"));
  table->close(world, far_deadline());
}

}  // namespace
}  // namespace muster
