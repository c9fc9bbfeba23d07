#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels/registry.hpp"
#include "muster/narrow_float.hpp"
#include "tests/unit/kernels/normal_floats.hpp"

namespace muster {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Quantised {
  std::vector<uint8_t> out;
  std::vector<float> scales;
  std::vector<float> residual_out;

  float value(size_t i) const {
    return f8e4m3_to_f32(out[i]) * scales[i / (out.size() / scales.size())];
  }
};

Quantised quantised(const std::vector<float>& x, const std::vector<float>& residual,
                    const std::vector<float>& weight, uint64_t group, double epsilon) {
  Quantised q;
  q.out.resize(x.size());
  q.scales.assign(x.size() / group, -1.0f);
  q.residual_out.resize(x.size());
  host_rmsnorm_quant(MUSTER_F32)(q.out.data(), q.scales.data(), q.residual_out.data(), x.data(),
                                 residual.empty() ? nullptr : residual.data(), weight.data(),
                                 x.size() / weight.size(), weight.size(), group, epsilon);
  return q;
}

TEST(HostRmsnormQuant, GivenRowsThenEveryElementIsTheNearestToTheNormedValueAtItsScale) {
  constexpr uint64_t kRows = 3;
  for (const uint64_t group : {uint64_t{1}, uint64_t{24}, uint64_t{128}, uint64_t{384}}) {
    constexpr uint64_t kHidden = 384;
    const auto x = normal_floats(kRows * kHidden, 1), residual = normal_floats(kRows * kHidden, 2);
    const auto weight = normal_floats(kHidden, 3);
    std::vector<float> plain(x.size()), plain_residual(x.size());
    host_rmsnorm(MUSTER_F32)(plain.data(), plain_residual.data(), x.data(), residual.data(),
                             weight.data(), kRows, kHidden, 1e-5);
    const Quantised q = quantised(x, residual, weight, group, 1e-5);
    EXPECT_EQ(q.residual_out, plain_residual);
    for (size_t g = 0; g < q.scales.size(); ++g) {
      float largest = 0;
      for (size_t i = g * group; i < (g + 1) * group; ++i)
        largest = std::max(largest, std::abs(plain[i]));
      ASSERT_EQ(q.scales[g], largest / 448.0f) << g;
      for (size_t i = g * group; i < (g + 1) * group; ++i)
        ASSERT_EQ(q.out[i], f32_to_f8e4m3(plain[i] / q.scales[g])) << i;
    }
  }
}

TEST(HostRmsnormQuant, GivenSixteenBitRowsThenTheF32ValueIsQuantisedWithoutARoundingInBetween) {
  constexpr uint64_t kRows = 2, kHidden = 64;
  for (const muster_dtype dtype : {MUSTER_F16, MUSTER_BF16}) {
    const auto halves = [&](uint64_t count, uint32_t seed, std::vector<float>& as_floats) {
      std::vector<uint16_t> out;
      for (const float value : normal_floats(count, seed)) {
        out.push_back(dtype == MUSTER_F16 ? f32_to_f16(value) : f32_to_bf16(value));
        as_floats.push_back(dtype == MUSTER_F16 ? f16_to_f32(out.back()) : bf16_to_f32(out.back()));
      }
      return out;
    };
    std::vector<float> x32, residual32, weight32;
    const auto x = halves(kRows * kHidden, 4, x32), weight = halves(kHidden, 6, weight32);
    auto residual = halves(kRows * kHidden, 5, residual32);
    std::vector<uint8_t> out(x.size());
    std::vector<float> scales(x.size() / 32);
    host_rmsnorm_quant(dtype)(out.data(), scales.data(), residual.data(), x.data(), residual.data(),
                              weight.data(), kRows, kHidden, 32, 1e-5);
    const Quantised q = quantised(x32, residual32, weight32, 32, 1e-5);
    EXPECT_EQ(out, q.out);
    EXPECT_EQ(scales, q.scales);
    for (size_t i = 0; i < x.size(); ++i) {  // in place of the residual
      EXPECT_EQ(residual[i], dtype == MUSTER_F16 ? f32_to_f16(q.residual_out[i])
                                                 : f32_to_bf16(q.residual_out[i]));
    }
  }
}

TEST(HostRmsnormQuant, GivenAGroupOfZerosThenItsScaleIsOne) {
  const std::vector<float> x = {0, -0.0f, 0, 0, 3, 4, 0, 0}, weight(8, 1.0f);
  const Quantised q = quantised(x, {}, weight, 4, 0.0);
  EXPECT_EQ(q.scales[0], 1.0f);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(q.value(i), 0.0f);
  EXPECT_EQ(q.value(5), 448 * q.scales[1]);
}

TEST(HostRmsnormQuant, GivenValuesTooSmallForANormalScaleThenItIsOneAndTheyAreZero) {
  std::vector<float> x(8, 1.0f), weight(8, 1.0f);
  weight[0] = weight[1] = weight[2] = weight[3] = 1e-37f;
  const Quantised q = quantised(x, {}, weight, 4, 0.0);
  EXPECT_EQ(q.scales[0], 1.0f);
  EXPECT_EQ(q.value(0), 0.0f);
}

TEST(HostRmsnormQuant, GivenANanThenItsRowIsNanAndOthersAreNot) {
  std::vector<float> x(16, 1.0f), weight(8, 1.0f);
  x[5] = std::nanf("");
  const Quantised q = quantised(x, {}, weight, 4, 1e-6);
  for (size_t i = 0; i < 8; ++i) EXPECT_TRUE(std::isnan(q.value(i))) << i;
  for (size_t i = 8; i < 16; ++i) EXPECT_NEAR(q.value(i), 1.0f, 1e-3) << i;
  for (const float scale : q.scales) EXPECT_TRUE(std::isfinite(scale) && scale > 0) << scale;
}

TEST(HostRmsnormQuant, GivenAnInfiniteValueThenItIsNanAndItsGroupKeepsAFiniteScale) {
  const std::vector<float> x(8, 1.0f);
  std::vector<float> weight(8, 1.0f);
  weight[1] = kInfinity;
  weight[2] = -kInfinity;
  const Quantised q = quantised(x, {}, weight, 4, 0.0);
  EXPECT_TRUE(std::isnan(q.value(1)) && std::isnan(q.value(2)));
  EXPECT_EQ(q.scales[0], 1.0f / 448);
  EXPECT_EQ(q.value(0), 448 * q.scales[0]);
}

TEST(HostRmsnormQuant, GivenAKeyThenItsFamilyAnswersForTheFloatsOfTheNorm) {
  muster_kernel_key key{};
  key.struct_size = MUSTER_KERNEL_KEY_SIZE;
  key.family = "host_rmsnorm_quant/1";
  for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
    key.dtype = dtype;
    const bool has = dtype == MUSTER_F16 || dtype == MUSTER_BF16 || dtype == MUSTER_F32;
    EXPECT_EQ(find_kernel(key) != nullptr, has) << dtype;
  }
  key.dtype = MUSTER_F32;
  key.redop = MUSTER_SUM;
  EXPECT_EQ(find_kernel(key), nullptr);
}

}  // namespace
}  // namespace muster
