#include "plugins/backends/cuda_peer/bands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {
namespace {

TEST(PeerBands, GivenNoOptionsThenEveryGroupSizeHasBandsInOrder) {
  for (uint32_t ranks = 2; ranks <= 8; ++ranks) {
    const Bands bands = Bands::of("sm_90", ranks, "", "", true);
    EXPECT_GT(bands[MUSTER_ALL_REDUCE].one_shot, 0u) << ranks;
    for (const muster_op op :
         {MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER, MUSTER_ALL_TO_ALL, MUSTER_BROADCAST}) {
      EXPECT_GT(bands[op].one_shot, 0u) << ranks;
      EXPECT_EQ(bands[op].two_shot, 0u) << ranks;
    }
  }
}

TEST(PeerBands, GivenALimitThenItIsInclusive) {
  const Band band{100, 200};
  EXPECT_EQ(band.of(100), Algorithm::kOneShotPush);
  EXPECT_EQ(band.of(101), Algorithm::kTwoShotPush);
  EXPECT_EQ(band.of(200), Algorithm::kTwoShotPush);
  EXPECT_EQ(band.of(201), Algorithm::kStaged);
}

TEST(PeerBands, GivenMemoryThatAllKnowThenPullsGoFirstAndStagesBegin) {
  const Band band{100, 200, 150, 10, 20};
  EXPECT_EQ(band.of_known(9, true), Algorithm::kOneShotPush);
  EXPECT_EQ(band.of_known(10, true), Algorithm::kOneShotPull);
  EXPECT_EQ(band.of_known(20, true), Algorithm::kOneShotPull);
  EXPECT_EQ(band.of_known(20, false), Algorithm::kOneShotPush);
  EXPECT_EQ(band.of_known(149, true), Algorithm::kTwoShotPush);
  EXPECT_EQ(band.of_known(150, true), Algorithm::kStaged);
  EXPECT_EQ((Band{100, 200}).of_known(150, true), Algorithm::kTwoShotPush);
}

TEST(PeerBands, GivenMeasuredEntriesThenThoseOfTheGroupsSizeHold) {
  const std::string tuned = "all_reduce/2=64,all_reduce/4=128:256,all_gather/2=32";
  const Bands two = Bands::of("sm_90", 2, tuned, "", true);
  EXPECT_EQ(two[MUSTER_ALL_REDUCE].one_shot, 64u);
  EXPECT_EQ(two[MUSTER_ALL_GATHER].one_shot, 32u);
  EXPECT_EQ(two[MUSTER_BROADCAST].one_shot,
            Bands::of("sm_90", 2, "", "", true)[MUSTER_BROADCAST].one_shot);
  const Bands four = Bands::of("sm_90", 4, tuned, "", true);
  EXPECT_EQ(four[MUSTER_ALL_REDUCE].one_shot, 128u);
  EXPECT_EQ(four[MUSTER_ALL_REDUCE].two_shot, 256u);
}

TEST(PeerBands, GivenMeasuredEntriesWithAllLimitsThenTheyHoldForKnownBuffersToo) {
  const Band shipped = Bands::of("sm_90", 2, "", "", true)[MUSTER_ALL_REDUCE];
  const auto tuned = [](const char* limits) {
    return Bands::of("sm_90", 2, std::string("all_reduce/2=") + limits, "",
                     true)[MUSTER_ALL_REDUCE];
  };
  const Band all = tuned("64:0:4096:128:1024");
  EXPECT_EQ(all.one_shot, 64u);
  EXPECT_EQ(all.direct_from, 4096u);
  EXPECT_EQ(all.of_known(127, true), Algorithm::kStaged);
  EXPECT_EQ(all.of_known(1024, true), Algorithm::kOneShotPull);
  EXPECT_EQ(tuned("64:0:4096:0:0").of_known(64, true), Algorithm::kOneShotPush);
  // What is not given stays.
  EXPECT_EQ(tuned("64").direct_from, shipped.direct_from);
  EXPECT_EQ(tuned("64:0:7").direct_from, 7u);
  EXPECT_EQ(tuned("64:0:7").pull_to, shipped.pull_to);
}

TEST(PeerBands, GivenAForcedAlgorithmThenItServesEverySize) {
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{1} << 40}) {
    EXPECT_EQ(Bands::of("sm_90", 4, "", "one_shot_push", true)[MUSTER_ALL_REDUCE].of(bytes),
              Algorithm::kOneShotPush);
    EXPECT_EQ(Bands::of("sm_90", 4, "", "two_shot_push", true)[MUSTER_ALL_REDUCE].of(bytes),
              Algorithm::kTwoShotPush);
    EXPECT_EQ(Bands::of("sm_90", 4, "", "staged", true)[MUSTER_ALL_REDUCE].of(bytes),
              Algorithm::kStaged);
  }
}

TEST(PeerBands, GivenNoLinesThenEverythingGoesInStages) {
  const Bands bands = Bands::of("sm_90", 2, "all_reduce/2=64", "one_shot_push", false);
  EXPECT_EQ(bands[MUSTER_ALL_REDUCE].of(1), Algorithm::kStaged);
}

TEST(PeerBands, GivenWrongEntriesThenTheyAreNamed) {
  for (const char* const wrong :
       {"gather/2=1", "all_reduce=1", "all_reduce/2", "all_reduce/x=1", "all_reduce/2=1K",
        "all_reduce/2=1:", "all_reduce/2=1:2:3:4:5:6", "x"}) {
    try {
      Bands::of("sm_90", 2, std::string("all_reduce/2=1,") + wrong, "", true);
      FAIL() << wrong;
    } catch (const plugin::Failure& failure) {
      EXPECT_EQ(failure.code(), muster_code{MUSTER_INVALID_ARGUMENT});
      EXPECT_THAT(failure.cause(), testing::HasSubstr(std::string("'") + wrong + "'"));
    }
  }
  EXPECT_THROW(Bands::of("sm_90", 2, "", "ring", true), plugin::Failure);
}

}  // namespace
}  // namespace muster::cuda_peer
