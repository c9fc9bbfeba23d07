#include "core/cli/meeting.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <vector>

#include "core/cli/timed_loop.hpp"

namespace muster::cli {
namespace {

// Ranks as threads: the memory is reached through /proc as from another process.
void in_ranks(uint32_t ranks, const std::function<void(Meeting&)>& body) {
  MeetingAddress address;
  const std::unique_ptr<Meeting> first = Meeting::host(ranks, &address);
  ASSERT_NE(nullptr, first);
  std::vector<std::thread> threads;
  for (uint32_t rank = 1; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const std::unique_ptr<Meeting> meeting = Meeting::join(address, rank);
      ASSERT_NE(nullptr, meeting);
      ASSERT_TRUE(meeting->open_with_all());
      body(*meeting);
    });
  }
  ASSERT_TRUE(first->open_with_all());
  body(*first);
  for (std::thread& thread : threads) thread.join();
}

TEST(Meeting, GivenRanksWhenOneArrivesLateThenNoneLeavesBeforeIt) {
  std::atomic<uint32_t> arrived = 0;
  in_ranks(3, [&](Meeting& meeting) {
    for (uint32_t round = 1; round <= 200; ++round) {
      if (meeting.rank() == round % 3) std::this_thread::sleep_for(std::chrono::microseconds(20));
      ++arrived;
      ASSERT_TRUE(meeting.meet());
      EXPECT_GE(arrived.load(), 3 * round);
    }
  });
}

TEST(Meeting, GivenMoreValuesThanFitAtOnceWhenReducedThenEachIsTheLargestOfAllRanks) {
  in_ranks(3, [](Meeting& meeting) {
    std::vector<double> values(1001);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<double>(i) + (i % 3 == meeting.rank() ? 0.5 : 0);
    }
    ASSERT_TRUE(meeting.largest(values.data(), values.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(static_cast<double>(i) + 0.5, values[i]) << i;
    }
  });
}

TEST(Meeting, GivenMoreRanksThanCoresWhenTheyHaveMetThenTheyAreCrowded) {
  cpu_set_t mine;
  ASSERT_EQ(0, sched_getaffinity(0, sizeof(mine), &mine));
  const auto cores = static_cast<uint32_t>(CPU_COUNT(&mine));
  in_ranks(cores + 1, [](Meeting& meeting) { EXPECT_TRUE(meeting.crowded()); });
  if (cores < 2) GTEST_SKIP() << "one core only";
  in_ranks(2, [](Meeting& meeting) { EXPECT_FALSE(meeting.crowded()); });
}

TEST(Meeting, GivenARankWhoseProcessEndedWhenTheOthersMeetThenItIsMissingAtOnce) {
  MeetingAddress address;
  const std::unique_ptr<Meeting> first = Meeting::host(2, &address);
  ASSERT_NE(nullptr, first);
  const pid_t child = fork();
  if (child == 0) {
    const std::unique_ptr<Meeting> second = Meeting::join(address, 1);
    _exit(second != nullptr && second->meet() ? 0 : 1);
  }
  EXPECT_TRUE(first->meet());
  int state = 0;
  ASSERT_EQ(child, waitpid(child, &state, 0));
  EXPECT_EQ(0, state);
  EXPECT_FALSE(first->meet());
  EXPECT_EQ(1u, first->missing());
}

TEST(Meeting, GivenAnAddressOfOtherMemoryWhenJoinedThenThereIsNoMeeting) {
  MeetingAddress address;
  const std::unique_ptr<Meeting> first = Meeting::host(2, &address);
  ASSERT_NE(nullptr, first);
  MeetingAddress other = address;
  ++other.nonce;  // as on another node, where that process number means something else
  EXPECT_EQ(nullptr, Meeting::join(other, 1));
  other = address;
  other.fd = 1 << 20;
  EXPECT_EQ(nullptr, Meeting::join(other, 1));
  other = address;
  other.ranks = 3;
  EXPECT_EQ(nullptr, Meeting::join(other, 1));
}

// Counts what the loop does, on ranks that need no memory.
struct LoneRank {
  uint32_t meetings = 0;
  bool meet() {
    ++meetings;
    return true;
  }
  bool largest(double*, size_t) { return true; }
};

TEST(TimedLoop, GivenCountsWhenRunThenSoManyCallsAreMadeEachAfterAMeeting) {
  LoneRank ranks;
  uint32_t calls = 0;
  LoopTimes times;
  LoopOptions options;
  options.iterations = 7;
  options.warmup = 3;
  uint32_t before = 0;
  const auto call = [&] {
    ++calls;
    EXPECT_GT(ranks.meetings, before);
    before = ranks.meetings;
    return true;
  };
  ASSERT_TRUE(run_loop(ranks, options, call, &times));
  EXPECT_EQ(10u, calls);
  EXPECT_EQ(7u, times.us.size());
}

TEST(TimedLoop, GivenRanksThatMeetSlowlyThenTheFloorSaysSo) {
  struct SlowRank : LoneRank {
    bool meet() {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return LoneRank::meet();
    }
  } ranks;
  LoopTimes times;
  LoopOptions options;
  options.iterations = 20;
  options.warmup = 1;
  ASSERT_TRUE(run_loop(
      ranks, options, [] { return true; }, &times));
  EXPECT_GE(times.floor, 900);
  EXPECT_EQ(20u, times.us.size());
}

TEST(TimedLoop, GivenATimeWhenCallsAreSlowThenTheFewestAreMade) {
  LoneRank ranks;
  LoopTimes times;
  LoopOptions options;
  options.seconds = 0.001;
  const auto call = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return true;
  };
  ASSERT_TRUE(run_loop(ranks, options, call, &times));
  EXPECT_EQ(LoopOptions::kFewest, times.us.size());
  for (double time : times.us) EXPECT_GE(time, 900);
}

TEST(TimedLoop, GivenCallsBackToBackWhenRunThenOneMeetingServesMany) {
  LoneRank ranks;
  uint32_t calls = 0;
  LoopTimes times;
  LoopOptions options;
  options.iterations = 5000;
  options.warmup = 1;
  options.back_to_back = true;
  ASSERT_TRUE(run_loop(
      ranks, options, [&] { return ++calls != 0; }, &times));
  EXPECT_GE(calls, 5000u);
  EXPECT_LT(ranks.meetings, calls);
  const size_t of_the_floor = 2 * ((times.us.size() + 7) / 8);
  EXPECT_EQ(ranks.meetings, times.us.size() + 1 + of_the_floor);
}

TEST(TimedLoop, GivenACallThatFailsWhenRunThenTheLoopEndsThere) {
  LoneRank ranks;
  uint32_t calls = 0;
  LoopTimes times;
  EXPECT_FALSE(run_loop(
      ranks, LoopOptions(), [&] { return ++calls < 3; }, &times));
  EXPECT_EQ(3u, calls);
}

}  // namespace
}  // namespace muster::cli
