#include "core/cli/routing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace muster::cli {
namespace {

TEST(Routing, GivenTokensWhenRoutedThenEveryRankSendsEachTokenToAllItsExperts) {
  for (const uint32_t ranks : {1u, 2u, 3u, 8u}) {
    const std::vector<uint64_t> copies = route_tokens(100, 128, 8, ranks, 7);
    ASSERT_EQ(copies.size(), size_t{ranks} * ranks);
    for (uint32_t from = 0; from < ranks; ++from) {
      const auto row = copies.begin() + from * ranks;
      EXPECT_EQ(std::accumulate(row, row + ranks, uint64_t{0}), 800u);
    }
  }
}

TEST(Routing, GivenAllExpertsChosenWhenRoutedThenEveryRankGetsItsBlock) {
  EXPECT_EQ(route_tokens(5, 6, 6, 2, 1), (std::vector<uint64_t>{15, 15, 15, 15}));
  EXPECT_EQ(route_tokens(1, 5, 5, 2, 1), (std::vector<uint64_t>{3, 2, 3, 2}));
}

TEST(Routing, GivenASeedWhenRoutedTwiceThenTheTablesAreEqualAndAnotherSeedGivesAnother) {
  EXPECT_EQ(route_tokens(64, 128, 8, 4, 3), route_tokens(64, 128, 8, 4, 3));
  EXPECT_NE(route_tokens(64, 128, 8, 4, 3), route_tokens(64, 128, 8, 4, 4));
}

TEST(Routing, GivenManyTokensWhenRoutedThenSomeExpertsAreBusierThanOthersButNoneHasAll) {
  const uint32_t ranks = 128;  // one expert each
  const std::vector<uint64_t> copies = route_tokens(20, ranks, 8, ranks, 1);
  std::vector<uint64_t> load(ranks);
  for (uint32_t from = 0; from < ranks; ++from) {
    for (uint32_t to = 0; to < ranks; ++to) load[to] += copies[from * ranks + to];
  }
  const double mean = 20.0 * 8;
  const double most = static_cast<double>(*std::max_element(load.begin(), load.end()));
  EXPECT_GT(most, 2 * mean);
  EXPECT_LT(most, 6 * mean);
}

TEST(Routing, GivenNoTokensWhenRoutedThenNothingIsSent) {
  EXPECT_EQ(route_tokens(0, 4, 2, 2, 1), (std::vector<uint64_t>(4)));
}

}  // namespace
}  // namespace muster::cli
