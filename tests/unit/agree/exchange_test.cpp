// Comparisons and votes among ranks that are threads.
#include "core/agree/exchange.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "core/base/wait.hpp"
#include "core/bootstrap/threads.hpp"

namespace muster {
namespace {

// Runs the body on every rank of a world of threads.
void on_ranks(uint32_t size, const std::function<void(Exchange&, uint32_t)>& body) {
  muster_threads* const threads = *threads_create(size);
  std::vector<uint32_t> everyone(size);
  for (uint32_t r = 0; r < size; ++r) everyone[r] = r;
  std::vector<std::thread> running;
  for (uint32_t rank = 0; rank < size; ++rank) {
    running.emplace_back([&, rank] {
      ThreadsSeat seat{threads, rank};
      const uint64_t deadline = now_ns() + 60'000'000'000;
      Result<std::unique_ptr<World>> world = World::open(
          threads_bootstrap(), reinterpret_cast<muster_instance*>(&seat), "threads", deadline);
      ASSERT_TRUE(world.ok());
      Exchange exchange(**world, everyone, 7, deadline);
      body(exchange, rank);
    });
  }
  for (std::thread& thread : running) thread.join();
  threads_destroy(threads);
}

TEST(Exchange, GivenEqualTextsThenThereIsNoDifference) {
  on_ranks(4, [](Exchange& exchange, uint32_t) {
    const std::vector<Compared> items = {{"a", "one"}, {"b", ""}};
    const auto differences = exchange.compare(items);
    ASSERT_TRUE(differences.ok());
    EXPECT_TRUE(differences->empty());
  });
}

TEST(Exchange, GivenDifferingTextsThenEveryRankHearsWhichItemWhichRankAndBothTexts) {
  on_ranks(4, [](Exchange& exchange, uint32_t rank) {
    const std::vector<Compared> items = {
        {"a", "same"}, {"b", rank >= 2 ? "late" : "early"}, {"c", rank == 0 ? "zero" : "other"}};
    const auto differences = exchange.compare(items);
    ASSERT_TRUE(differences.ok());
    ASSERT_EQ(differences->size(), 2u);
    EXPECT_EQ((*differences)[0].item, 1u);
    EXPECT_EQ((*differences)[0].rank, 2u);
    EXPECT_EQ((*differences)[0].at_rank_0, "early");
    EXPECT_EQ((*differences)[0].at_rank, "late");
    EXPECT_EQ((*differences)[1].item, 2u);
    EXPECT_EQ((*differences)[1].rank, 1u);
  });
}

TEST(Exchange, GivenVotesThenTheCausesOfAllWhoSaidNoReachEveryRankInOrder) {
  on_ranks(3, [](Exchange& exchange, uint32_t rank) {
    const std::vector<std::string> causes = {"", rank == 0 ? "" : "cause " + std::to_string(rank),
                                             ""};
    const auto vote = exchange.vote(causes);
    ASSERT_TRUE(vote.ok());
    EXPECT_EQ(*vote, (std::vector<std::string>{"", "rank 1: cause 1; rank 2: cause 2", ""}));
  });
}

TEST(Exchange, GivenNoBallotsThenNothingIsExchanged) {
  on_ranks(2, [](Exchange& exchange, uint32_t rank) {
    if (rank == 1) return;  // would be missed if it were
    const auto vote = exchange.vote({});
    ASSERT_TRUE(vote.ok());
    EXPECT_TRUE(vote->empty());
  });
}

TEST(Exchange, GivenNumbersThenTheLargestOfEachReachesEveryRank) {
  on_ranks(3, [](Exchange& exchange, uint32_t rank) {
    const uint64_t values[] = {rank, 10 - rank, UINT64_MAX};
    const auto largest = exchange.largest(values);
    ASSERT_TRUE(largest.ok());
    EXPECT_EQ(*largest, (std::vector<uint64_t>{2, 10, UINT64_MAX}));
  });
}

TEST(Exchange, GivenACauseThatIsNoTextThenTheVoteIsStillNo) {
  on_ranks(2, [](Exchange& exchange, uint32_t rank) {
    const std::vector<std::string> causes = {rank == 1 ? "\xff\xfe" : ""};
    const auto vote = exchange.vote(causes);
    ASSERT_TRUE(vote.ok());
    EXPECT_EQ(vote->front().substr(0, 8), "rank 1: ");
  });
}

}  // namespace
}  // namespace muster
