// Elements of a few values, written and compared without looking at each as a number.
#include "core/agree/few_values.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace muster::testing {
namespace {

constexpr uint64_t kCount = 17;

uint32_t in_turns(uint64_t i) { return i % FewValues::kMost; }

TEST(FewValues, GivenAnyDtypeWhenWrittenThenElementsAreTheValuesAndEqualThem) {
  for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_F8E4M3; ++dtype) {
    if (dtype == MUSTER_BOOL) continue;
    const FewValues values(dtype, {1, 2, 3});
    std::vector<char> base((kCount + 1) * dtype_size(dtype), '\x5a');
    values.write(base.data(), kCount, in_turns);
    for (uint64_t i = 0; i < kCount; ++i)
      EXPECT_EQ(load_value(dtype, base.data(), i), 1 + in_turns(i)) << dtype_name(dtype);
    EXPECT_EQ(base.back(), '\x5a') << dtype_name(dtype);
    EXPECT_EQ(values.first_other(base.data(), 0, kCount, in_turns), kCount) << dtype_name(dtype);
  }
}

TEST(FewValues, GivenOneOtherElementWhenComparedThenItIsFoundFromWhereverItIsLookedFor) {
  const FewValues values(MUSTER_BF16, {1, 2, 3});
  std::vector<uint16_t> base(kCount);
  values.write(base.data(), kCount, in_turns);
  base[9] ^= 1;
  EXPECT_EQ(values.first_other(base.data(), 0, kCount, in_turns), 9u);
  EXPECT_EQ(values.first_other(base.data(), 9, kCount, in_turns), 9u);
  EXPECT_EQ(values.first_other(base.data(), 10, kCount, in_turns), kCount);
}

TEST(FewValues, GivenValuesThatAreNoIntegersWhenComparedThenEveryElementIsLeftToTheCaller) {
  for (const double value : {2.5, 0x1p60}) {
    const FewValues values(MUSTER_F32, {1, value, 3});
    EXPECT_FALSE(values.is_exact());
    const std::vector<float> base(kCount, 1);
    EXPECT_EQ(values.first_other(base.data(), 4, kCount, in_turns), 4u);
  }
}

}  // namespace
}  // namespace muster::testing
