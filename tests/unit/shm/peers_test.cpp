#include "plugins/backends/shm/peers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::shm {
namespace {

using testing::ElementsAre;

TEST(Peers, GivenOneNodeThenEachRankBeginsWithItsNeighbour) {
  EXPECT_THAT(peers_in_order(0, {0, 0, 0, 0}), ElementsAre(1, 2, 3));
  EXPECT_THAT(peers_in_order(2, {0, 0, 0, 0}), ElementsAre(3, 0, 1));
}

TEST(Peers, GivenTwoNodesThenThoseOfTheOwnOneComeFirst) {
  EXPECT_THAT(peers_in_order(0, {0, 1, 0, 1}), ElementsAre(2, 1, 3));
  EXPECT_THAT(peers_in_order(3, {0, 1, 0, 1}), ElementsAre(1, 0, 2));
}

}  // namespace
}  // namespace muster::shm
