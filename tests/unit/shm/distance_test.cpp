#include "plugins/backends/shm/distance.hpp"

#include <gtest/gtest.h>

namespace muster::shm {
namespace {

constexpr uint64_t kLimit = 100;
constexpr uint64_t kNear = 20;
constexpr uint64_t kFar = 120;

Distance of_ranks(uint32_t ranks) {
  Distance distance(ranks);
  distance.attach(kLimit);
  return distance;
}

void judge(Distance& distance, uint32_t peer, uint64_t nanoseconds, int times) {
  for (int i = 0; i < times; ++i) distance.judge(peer, nanoseconds);
}

TEST(Distance, GivenOneLookThatTookLongThenThePeerIsNotYetFar) {
  Distance distance = of_ranks(2);
  judge(distance, 1, kFar, 1);
  EXPECT_FALSE(distance.far());
  judge(distance, 1, kNear, 1);
  judge(distance, 1, kFar, 1);
  EXPECT_FALSE(distance.far());
  judge(distance, 1, kFar, 1);
  EXPECT_TRUE(distance.far());
}

TEST(Distance, GivenAFarPeerWhenALineWasHereAlreadyNowAndThenThenItStaysFar) {
  Distance distance = of_ranks(2);
  judge(distance, 1, kFar, 2);
  for (int i = 0; i < 20; ++i) {
    judge(distance, 1, kNear, 3);
    judge(distance, 1, kFar, 1);
  }
  EXPECT_TRUE(distance.far());
}

TEST(Distance, GivenAFarPeerWhenItComesNearThenItIsNoticed) {
  Distance distance = of_ranks(2);
  judge(distance, 1, kFar, 2);
  judge(distance, 1, kNear, 20);
  EXPECT_FALSE(distance.far());
  judge(distance, 1, kFar, 2);
  EXPECT_TRUE(distance.far());
}

TEST(Distance, GivenFourRanksThenHalfOfTheOthersAtLeastMustBeFar) {
  Distance distance = of_ranks(4);
  judge(distance, 1, kFar, 2);
  EXPECT_FALSE(distance.far());
  judge(distance, 3, kFar, 2);
  EXPECT_TRUE(distance.far());
}

TEST(Distance, GivenBytesThatAreShownThenALookIsDueOnceThereAreEnough) {
  Distance distance = of_ranks(2);
  uint64_t word = 1;
  EXPECT_FALSE(distance.due(1000));
  EXPECT_TRUE(distance.due(1 << 20));
  EXPECT_EQ(1u, distance.look(1, word, 1));
  EXPECT_TRUE(distance.due(0)) << "a look at what has not changed says nothing";
  EXPECT_EQ(1u, distance.look(1, word, 0));
  EXPECT_FALSE(distance.due(1000));
}

TEST(Distance, GivenALimitOfZeroThenNobodyEverLooks) {
  Distance distance(2);
  distance.attach(0);
  EXPECT_FALSE(distance.due(1 << 30));
  EXPECT_FALSE(distance.far());
}

TEST(Distance, GivenALimitOfOneThenEveryLookSaysFar) {
  Distance distance(2);
  distance.attach(1);
  uint64_t word = 1;
  distance.look(1, word, 0);
  distance.look(1, word, 0);
  EXPECT_TRUE(distance.far());
}

TEST(Distance, GivenAWordThatHasNotChangedThenTheLookSaysNothing) {
  Distance distance(2);
  distance.attach(1);
  uint64_t word = 7;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(7u, distance.look(1, word, 7));
  EXPECT_FALSE(distance.far());
}

}  // namespace
}  // namespace muster::shm
