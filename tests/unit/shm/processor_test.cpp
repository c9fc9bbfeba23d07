#include "plugins/backends/shm/processor.hpp"

#include <gtest/gtest.h>

namespace muster::shm {
namespace {

constexpr int64_t kMiB = 1024 * 1024;

TEST(Processors, GivenOneOfAmdWhateverItsCacheThenARankCanBeFar) {
  for (const int64_t second_level : {int64_t{0}, kMiB / 2, kMiB}) {
    EXPECT_GT(processor_of(true, second_level).far_ns, 0u);
  }
}

TEST(Processors, GivenALargeLevel2CacheThenNobodyIsFarAndLessStaysInTheCaches) {
  const Processor large = processor_of(false, 2 * kMiB);
  const Processor unknown = processor_of(false, 0);
  EXPECT_EQ(large.far_ns, 0u);
  EXPECT_LT(large.stream_bytes, unknown.stream_bytes);
  EXPECT_LT(large.chunk_bytes, unknown.chunk_bytes);
}

TEST(Processors, GivenASmallCacheOrAnUnknownOneThenNobodyIsFar) {
  EXPECT_EQ(processor_of(false, kMiB / 4).far_ns, 0u);
  EXPECT_EQ(processor_of(false, -1).far_ns, 0u);
}

}  // namespace
}  // namespace muster::shm
