#include "plugins/backends/shm/bands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/plugin.hpp"

namespace muster::shm {
namespace {

constexpr uint64_t kChunk = 262144;

TEST(Bands, GivenNoOptionsThenTheTableDecidesByOperationAndRanks) {
  const Bands two = Bands::of(-1, "", kChunk, 2);
  const Bands many = Bands::of(-1, "", kChunk, 64);
  EXPECT_GT(two.all_reduce, two.fused);
  EXPECT_GT(two.all_reduce, many.all_reduce);
  EXPECT_GT(many.all_reduce, 0u);
  EXPECT_GT(many.reduce, 0u);
  EXPECT_GT(many.fused, 0u);
}

TEST(Bands, GivenALimitForAllThenItGoesBeforeEverything) {
  const Bands bands = Bands::of(1000, "all_reduce/2=5", kChunk, 2);
  EXPECT_EQ(bands.all_reduce, 1000u);
  EXPECT_EQ(bands.reduce, 1000u);
  EXPECT_EQ(bands.fused, 250u);
}

TEST(Bands, GivenMeasuredEntriesThenThoseOfTheGroupsSizeHold) {
  const std::string tuned = "all_reduce/2=64,reduce/3=128,fused_all_reduce_rmsnorm/2=0";
  const Bands table = Bands::of(-1, "", kChunk, 2);
  const Bands two = Bands::of(-1, tuned, kChunk, 2);
  EXPECT_EQ(two.all_reduce, 64u);
  EXPECT_EQ(two.reduce, table.reduce);
  EXPECT_EQ(two.fused, 0u);
  EXPECT_EQ(Bands::of(-1, tuned, kChunk, 3).reduce, 128u);
}

TEST(Bands, GivenWhatTheProcessorLikesThenItGoesBeforeTheTableForTwoRanksOnly) {
  constexpr uint64_t kLiked = 12345;
  const Bands table = Bands::of(-1, "", kChunk, 2);
  const Bands two = Bands::of(-1, "", kChunk, 2, kLiked);
  EXPECT_EQ(two.all_reduce, kLiked);
  EXPECT_EQ(two.reduce, table.reduce);
  EXPECT_EQ(Bands::of(-1, "", kChunk, 3, kLiked).all_reduce,
            Bands::of(-1, "", kChunk, 3).all_reduce);
  EXPECT_EQ(Bands::of(-1, "all_reduce/2=64", kChunk, 2, kLiked).all_reduce, 64u);
  EXPECT_EQ(Bands::of(7, "", kChunk, 2, kLiked).all_reduce, 7u);
}

TEST(Bands, GivenLimitsAboveAChunkThenAChunkIsTheLimit) {
  const Bands bands = Bands::of(-1, "all_reduce/2=1000000", 4096, 2);
  EXPECT_EQ(bands.all_reduce, 4096u);
  EXPECT_EQ(bands.reduce, 4096u);
}

TEST(Bands, GivenWrongEntriesThenTheyAreNamed) {
  for (const char* const wrong : {"all_gather/2=1", "all_reduce=1", "all_reduce/2",
                                  "all_reduce/x=1", "all_reduce/2=1K", "x"}) {
    const std::string tuned = std::string("reduce/2=1,") + wrong;
    try {
      Bands::of(-1, tuned, kChunk, 2);
      FAIL() << tuned;
    } catch (const plugin::Failure& failure) {
      EXPECT_EQ(failure.code(), muster_code{MUSTER_INVALID_ARGUMENT});
      EXPECT_THAT(failure.cause(), testing::HasSubstr(std::string("'") + wrong + "'"));
    }
  }
}

}  // namespace
}  // namespace muster::shm
