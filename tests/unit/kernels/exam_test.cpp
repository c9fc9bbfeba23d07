// The known-answer test of variants finds what is wrong, and names the first wrong element.
#include "core/kernels/exam.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/kernels/registry.hpp"
#include "tests/unit/kernels/kernel_sources.hpp"

namespace muster {
namespace {

using ::testing::HasSubstr;

muster_kernel_variant variant_of(muster_dtype dtype, muster_redop redop, void (*function)(),
                                 const char* family = "host_reduce/1") {
  muster_kernel_variant variant{};
  variant.struct_size = MUSTER_KERNEL_VARIANT_SIZE;
  variant.key = {MUSTER_KERNEL_KEY_SIZE, dtype, redop, 0, family, "cached", "here"};
  variant.digest = "d";
  variant.function = function;
  return variant;
}

template <typename Function>
muster_kernel_function as_kernel(Function* function) {
  return reinterpret_cast<muster_kernel_function>(function);
}

TEST(Exam, GivenEveryVariantOfEveryPackThenItPasses) {
  for (const std::string& name : KernelSource::names()) {
    if (name == "generic") continue;
    const KernelSource source(name);
    if (!source.usable()) continue;
    for (const muster_kernel_variant* variant : source.variants())
      EXPECT_EQ(examine_variant(*variant), "") << key_text(variant->key);
  }
}

void sum_in_place_only(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                       const void* scalar, uint64_t divisor) {
  host_reduce(MUSTER_F32, MUSTER_SUM)(dst, sources, n, count, scalar, divisor);
  if (dst != sources[0] && count > 5) static_cast<unsigned char*>(dst)[21] ^= 1;
}

TEST(Exam, GivenOneWrongBitThenTheElementIsNamed) {
  const std::string fault =
      examine_variant(variant_of(MUSTER_F32, MUSTER_SUM, as_kernel(&sum_in_place_only)));
  EXPECT_THAT(fault, HasSubstr("element 5 of 131 from 1 sources is 0x"));
}

void writes_beyond(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                   const void* scalar, uint64_t divisor) {
  host_reduce(MUSTER_U8, MUSTER_BOR)(dst, sources, n, count, scalar, divisor);
  static_cast<unsigned char*>(dst)[count] = 0;
}

TEST(Exam, GivenAKernelThatWritesBeyondItsElementsThenThatIsFound) {
  EXPECT_THAT(examine_variant(variant_of(MUSTER_U8, MUSTER_BOR, as_kernel(&writes_beyond))),
              HasSubstr("writes beyond"));
}

void flushes_subnormals(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                        const void* scalar, uint64_t divisor) {
  host_reduce(MUSTER_F64, MUSTER_MAX)(dst, sources, n, count, scalar, divisor);
  for (uint64_t i = 0; i < count; ++i) {
    unsigned char* const at = static_cast<unsigned char*>(dst) + i * 8;
    double value;
    std::memcpy(&value, at, 8);
    if (value > -2.3e-308 && value < 2.3e-308) std::memset(at, 0, 8);
  }
}

TEST(Exam, GivenAKernelThatFlushesSubnormalsThenThatIsFound) {
  EXPECT_THAT(examine_variant(variant_of(MUSTER_F64, MUSTER_MAX, as_kernel(&flushes_subnormals))),
              HasSubstr("element"));
}

void copies_too_little(void* dst, const void* src, uint64_t bytes) {
  if (bytes > 0) std::memcpy(dst, src, bytes - 1);
}

TEST(Exam, GivenACopyThatLeavesAByteThenThatIsFound) {
  EXPECT_THAT(examine_variant(variant_of(MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE,
                                         as_kernel(&copies_too_little), "host_copy/1")),
              HasSubstr("element 0 of 1"));
}

void forgets_the_second_place(void* dst, void*, const void* first, const void* second,
                              uint64_t count, uint64_t divisor) {
  const void* const sources[] = {first, second};
  host_reduce(MUSTER_F32, MUSTER_MAX)(dst, sources, 2, count, nullptr, divisor);
}

TEST(Exam, GivenAPairThatWritesOnePlaceThenThatIsFound) {
  EXPECT_THAT(
      examine_variant(variant_of(MUSTER_F32, MUSTER_MAX, as_kernel(&forgets_the_second_place),
                                 "host_reduce_pair/1")),
      HasSubstr("in the second place is 0x"));
}

// The second place is a source: what lies there is needed until the result is written.
void writes_the_second_place_first(void* dst, void* also, const void* first, const void* second,
                                   uint64_t count, uint64_t divisor) {
  std::memset(also, 0, count);
  const void* const sources[] = {first, second};
  host_reduce(MUSTER_U8, MUSTER_SUM)(dst, sources, 2, count, nullptr, divisor);
  std::memcpy(also, dst, count);
}

TEST(Exam, GivenAPairThatSpoilsASourceInPlaceThenThatIsFound) {
  EXPECT_THAT(
      examine_variant(variant_of(MUSTER_U8, MUSTER_SUM, as_kernel(&writes_the_second_place_first),
                                 "host_reduce_pair/1")),
      HasSubstr("in the first place is 0x"));
}

std::vector<muster_kernel_variant> pack_of_a_later_family;

TEST(Exam, GivenAFamilyOfALaterRuntimeThenThePackReportNamesItOnce) {
  const auto sum = as_kernel(host_reduce(MUSTER_F32, MUSTER_SUM));
  pack_of_a_later_family = {variant_of(MUSTER_F32, MUSTER_SUM, sum),
                            variant_of(MUSTER_F32, MUSTER_SUM, sum, "host_reduce/9"),
                            variant_of(MUSTER_F32, MUSTER_MAX, sum, "host_reduce/9")};
  const muster_kernels table = {
      MUSTER_KERNELS_SIZE, 0,
      [](muster_instance*) { return static_cast<uint32_t>(pack_of_a_later_family.size()); },
      [](muster_instance*, uint32_t index) -> const muster_kernel_variant* {
        return &pack_of_a_later_family[index];
      }};
  const PackReport report = examine_pack(table, nullptr);
  EXPECT_EQ(report.ready.size(), 1u);
  EXPECT_THAT(
      report.faults,
      ::testing::ElementsAre(HasSubstr("host_reduce/9 (2 variants): this runtime does not know")));
}

TEST(Exam, GivenRecordsThatAreNotWholeThenTheyAreRefusedInWords) {
  const auto sum = as_kernel(host_reduce(MUSTER_F32, MUSTER_SUM));
  EXPECT_THAT(examine_variant(variant_of(MUSTER_F32, MUSTER_SUM, nullptr)), HasSubstr("function"));
  EXPECT_THAT(examine_variant(variant_of(MUSTER_F32, MUSTER_BAND, sum)), HasSubstr("know"));
  EXPECT_THAT(examine_variant(variant_of(MUSTER_F32, MUSTER_SUM, sum, "host_reduce/9")),
              HasSubstr("know"));
  EXPECT_THAT(examine_variant(variant_of(99, MUSTER_SUM, sum)), HasSubstr("know"));
  muster_kernel_variant variant = variant_of(MUSTER_F32, MUSTER_SUM, sum);
  variant.score = 101;
  EXPECT_THAT(examine_variant(variant), HasSubstr("score"));
  variant = variant_of(MUSTER_F32, MUSTER_SUM, sum, "two words");
  EXPECT_THAT(examine_variant(variant), HasSubstr("family"));
  variant = variant_of(MUSTER_F32, MUSTER_SUM, sum);
  variant.digest = nullptr;
  EXPECT_THAT(examine_variant(variant), HasSubstr("digest"));
}

TEST(PackReport, GivenAGroupThenItsLineGivesItBack) {
  KernelGroup group;
  group.family = "host_reduce/1";
  group.algorithm = "cached";
  group.architecture = "x86-64-v3";
  group.digest = "abc";
  group.world_size = 4;
  group.score = -70;
  group.redops[MUSTER_I8] = 0xffe;
  group.redops[MUSTER_F64] = 0x3e;
  const std::optional<KernelGroup> back = read_group(write_group(group));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(back->alike(group));
  EXPECT_EQ(back->redops, group.redops);
  EXPECT_EQ(back->size(), 16u);
  for (const char* line : {"", "a b c", "a b c d x 1", "a b c d 0 1 99:1", "a b c d 0 1 1-2"})
    EXPECT_FALSE(read_group(line).has_value()) << line;
}

}  // namespace
}  // namespace muster
