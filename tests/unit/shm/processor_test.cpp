#include "plugins/backends/shm/processor.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "plugins/backends/shm/demotion.hpp"

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

TEST(Processors, GivenWhatTheKernelSaysOfThemThenLinesAreDemotedWhereTheyCanBe) {
  std::ifstream info("/proc/cpuinfo");
  const std::string all((std::istreambuf_iterator<char>(info)), std::istreambuf_iterator<char>());
  if (all.find("flags") == std::string::npos) GTEST_SKIP() << "the kernel does not tell";
  EXPECT_EQ(demotes_lines(), all.find(" cldemote") != std::string::npos);
}

TEST(Processors, GivenAnyProcessorWhenLinesAreDemotedThenTheirContentStays) {
  std::vector<unsigned char> memory(1000, 7);
  demote_lines(memory.data() + 1, memory.size() - 1);
  demote_lines(nullptr, 0);
  EXPECT_EQ(memory, std::vector<unsigned char>(1000, 7));
}

}  // namespace
}  // namespace muster::shm
