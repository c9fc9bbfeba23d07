#include "core/query/scratch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace muster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const int kUsers[2] = {};

TEST(Scratch, GivenARequestThenTheMemoryIsThereAndAlignedToAPage) {
  Scratch scratch;
  for (const uint64_t bytes : {1u, 4096u, 4097u, 100000u}) {
    Result<void*> got = scratch.get(&kUsers[0], MUSTER_HOST, bytes);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(*got) % 4096, 0u);
    std::memset(*got, 1, bytes);
  }
}

TEST(Scratch, GivenTwoUsersThenTheirBuffersAreApart) {
  Scratch scratch;
  void* const first = *scratch.get(&kUsers[0], MUSTER_HOST, 100);
  void* const second = *scratch.get(&kUsers[1], MUSTER_HOST, 100);
  EXPECT_NE(first, second);
  EXPECT_EQ(*scratch.get(&kUsers[0], MUSTER_HOST, 50), first) << "what is large enough is kept";
}

TEST(Scratch, GivenNoGrowthWhenMoreIsNeededThenTheRefusalSaysWhatToReserve) {
  Scratch scratch;
  ASSERT_TRUE(scratch.get(&kUsers[0], MUSTER_HOST, 4096).ok());
  scratch.allow_growth(false);
  EXPECT_TRUE(scratch.get(&kUsers[0], MUSTER_HOST, 4096).ok());
  const Result<void*> refused = scratch.get(&kUsers[0], MUSTER_HOST, 4097);
  EXPECT_EQ(refused.status().code(), MUSTER_FAILED_PRECONDITION);
  EXPECT_THAT(refused.status().cause(),
              AllOf(HasSubstr("4097 bytes of scratch"), HasSubstr("4096 are reserved")));
  EXPECT_THAT(refused.status().remedy(),
              HasSubstr("muster_group_reserve(group, MUSTER_HOST, 4097)"));
}

TEST(Scratch, GivenAReservationThenItServesWithoutGrowthAndGrowthStaysForbidden) {
  Scratch scratch;
  scratch.allow_growth(false);
  ASSERT_TRUE(scratch.reserve(&kUsers[0], MUSTER_HOST, 10000).ok());
  EXPECT_TRUE(scratch.get(&kUsers[0], MUSTER_HOST, 10000).ok());
  EXPECT_FALSE(scratch.get(&kUsers[0], MUSTER_HOST, 100000).ok());
}

TEST(Scratch, GivenMemoryOfADeviceThenItIsRefusedByItsName) {
  Scratch scratch;
  const Result<void*> refused = scratch.get(&kUsers[0], MUSTER_CUDA, 1);
  EXPECT_EQ(refused.status().code(), MUSTER_UNAVAILABLE);
  EXPECT_THAT(refused.status().cause(), HasSubstr("cuda"));
}

TEST(Scratch, GivenASizeThatDoesNotFitThenItIsOutOfRange) {
  Scratch scratch;
  EXPECT_EQ(scratch.get(&kUsers[0], MUSTER_HOST, UINT64_MAX).status().code(), MUSTER_OUT_OF_RANGE);
}

}  // namespace
}  // namespace muster
