#include "core/base/wait.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace muster {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kLate = 60 * kSecond;

WaitLimits limits_until(uint64_t deadline) {
  WaitLimits limits;
  limits.deadline_ns = deadline;
  return limits;
}

TEST(Wait, GivenAValueAlreadyReachedThenItReturnsEvenPastTheDeadline) {
  muster_wait_word word{7, 0, 0};
  EXPECT_EQ(wait_for(&word, 7, limits_until(0)), WaitEnd::kReached);
  EXPECT_EQ(wait_for(&word, 3, limits_until(0)), WaitEnd::kReached);
}

TEST(Wait, GivenNobodyWritesThenTheDeadlineEndsItAndNobodyCountsAsAsleep) {
  muster_wait_word word{6, 0, 0};
  const uint64_t deadline = now_ns() + 20'000'000;
  EXPECT_EQ(wait_for(&word, 7, limits_until(deadline)), WaitEnd::kDeadline);
  EXPECT_GE(now_ns(), deadline);
  EXPECT_EQ(word.waiters, 0u);
}

TEST(Wait, GivenTheAbortWordIsSetThenItEndsAborted) {
  muster_wait_word word{};
  const std::atomic<uint32_t> aborted{1};
  WaitLimits limits = limits_until(now_ns() + kLate);
  limits.aborted = &aborted;
  EXPECT_EQ(wait_for(&word, 1, limits), WaitEnd::kAborted);
}

TEST(Wait, GivenTheAbortWordIsSetWhileItSleepsThenItEndsAborted) {
  muster_wait_word word{};
  std::atomic<uint32_t> aborted{0};
  std::thread aborter([&] {
    while (__atomic_load_n(&word.waiters, __ATOMIC_SEQ_CST) == 0) std::this_thread::yield();
    aborted.store(1);
  });
  WaitLimits limits = limits_until(now_ns() + kLate);
  limits.aborted = &aborted;
  EXPECT_EQ(wait_for(&word, 1, limits), WaitEnd::kAborted);
  aborter.join();
}

TEST(Wait, GivenThePeerIsGoneThenItEndsPeerLost) {
  muster_wait_word word{};
  WaitLimits limits = limits_until(now_ns() + kLate);
  limits.peer_alive = [](void*) { return false; };
  EXPECT_EQ(wait_for(&word, 1, limits), WaitEnd::kPeerLost);
}

TEST(Wait, GivenThePeerWroteBeforeItWentThenTheValueCounts) {
  muster_wait_word word{};
  WaitLimits limits = limits_until(now_ns() + kLate);
  limits.context = &word;
  limits.peer_alive = [](void* context) {
    signal_word(static_cast<muster_wait_word*>(context), 1);
    return false;
  };
  EXPECT_EQ(wait_for(&word, 1, limits), WaitEnd::kReached);
}

TEST(Wait, GivenASleeperWhenTheWordIsSignalledThenItWakes) {
  muster_wait_word word{};
  std::thread signaller([&] {
    while (__atomic_load_n(&word.waiters, __ATOMIC_SEQ_CST) == 0) std::this_thread::yield();
    signal_word(&word, 1);
  });
  EXPECT_EQ(wait_for(&word, 1, limits_until(now_ns() + kLate)), WaitEnd::kReached);
  signaller.join();
}

// Without the count of sleepers, or with it read before the value is written, this stalls for a
// slice now and then; with slices disabled it would hang. The values cross 2^32.
TEST(Wait, GivenTwoThreadsThatTakeTurnsThenEverySignalArrivesInOrder) {
  constexpr uint64_t kStart = (uint64_t{1} << 32) - 500;
  constexpr uint64_t kTurns = 1000;
  muster_wait_word ping{kStart, 0, 0};
  muster_wait_word pong{kStart, 0, 0};
  uint64_t shared = 0;  // ordered by the words alone
  const auto run = [&](muster_wait_word* mine, muster_wait_word* theirs, uint64_t lead) {
    WaitLimits limits = limits_until(now_ns() + kLate);
    limits.spin_ns = 0;
    for (uint64_t turn = kStart + 1; turn <= kStart + kTurns; ++turn) {
      if (lead == 0) {
        ASSERT_EQ(wait_for(theirs, turn, limits), WaitEnd::kReached);
      }
      ++shared;
      signal_word(mine, turn);
      if (lead != 0) {
        ASSERT_EQ(wait_for(theirs, turn, limits), WaitEnd::kReached);
      }
    }
  };
  std::thread other([&] { run(&pong, &ping, 0); });
  run(&ping, &pong, 1);
  other.join();
  EXPECT_EQ(shared, 2 * kTurns);
}

TEST(Wait, GivenManySleepersWhenTheWordIsSignalledThenAllWake) {
  muster_wait_word word{};
  std::atomic<int> reached{0};
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 6; ++i) {
    sleepers.emplace_back([&] {
      if (wait_for(&word, 1, limits_until(now_ns() + kLate)) == WaitEnd::kReached) ++reached;
    });
  }
  while (__atomic_load_n(&word.waiters, __ATOMIC_SEQ_CST) < 6) std::this_thread::yield();
  signal_word(&word, 1);
  for (std::thread& sleeper : sleepers) sleeper.join();
  EXPECT_EQ(reached.load(), 6);
  EXPECT_EQ(word.waiters, 0u);
}

}  // namespace
}  // namespace muster
