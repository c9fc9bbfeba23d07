#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/kernels/registry.hpp"
#include "muster/narrow_float.hpp"
#include "tests/unit/kernels/normal_floats.hpp"

namespace muster {
namespace {

constexpr double kEpsilon = 1e-5;

struct Case {
  uint64_t rows;
  uint64_t hidden;
};

TEST(HostRmsnorm, GivenF32RowsThenResidualAndOutputAgreeWithDoublePrecision) {
  for (const Case c : {Case{1, 1}, Case{3, 17}, Case{2, 4096}, Case{0, 8}}) {
    const std::vector<float> x = normal_floats(c.rows * c.hidden, 1);
    const std::vector<float> residual = normal_floats(c.rows * c.hidden, 2);
    const std::vector<float> weight = normal_floats(c.hidden, 3);
    std::vector<float> out(x.size()), residual_out(x.size());
    host_rmsnorm(MUSTER_F32)(out.data(), residual_out.data(), x.data(), residual.data(),
                             weight.data(), c.rows, c.hidden, kEpsilon);
    for (uint64_t r = 0; r < c.rows; ++r) {
      double squares = 0;
      for (uint64_t i = 0; i < c.hidden; ++i) {
        const double value = double(x[r * c.hidden + i]) + residual[r * c.hidden + i];
        squares += value * value;
      }
      const double scale = 1 / std::sqrt(squares / double(c.hidden) + kEpsilon);
      for (uint64_t i = 0; i < c.hidden; ++i) {
        const uint64_t at = r * c.hidden + i;
        const double value = double(x[at]) + residual[at];
        EXPECT_EQ(residual_out[at], x[at] + residual[at]);
        EXPECT_NEAR(out[at], value * scale * weight[i], 2e-6 * (1 + std::abs(value * weight[i])));
      }
    }
  }
}

TEST(HostRmsnorm, GivenSixteenBitRowsThenOutputsAreRoundedOnceFromF32) {
  constexpr uint64_t kRows = 2, kHidden = 100;
  for (const muster_dtype dtype : {MUSTER_F16, MUSTER_BF16}) {
    const auto encode = [&](float v) {
      return dtype == MUSTER_F16 ? f32_to_f16(v) : f32_to_bf16(v);
    };
    const auto decode = [&](uint16_t v) {
      return dtype == MUSTER_F16 ? f16_to_f32(v) : bf16_to_f32(v);
    };
    const auto halves = [&](uint64_t count, uint32_t seed) {
      std::vector<uint16_t> out;
      for (const float value : normal_floats(count, seed)) out.push_back(encode(value));
      return out;
    };
    const auto floats = [&](const std::vector<uint16_t>& values) {
      std::vector<float> out;
      for (const uint16_t value : values) out.push_back(decode(value));
      return out;
    };
    const auto x = halves(kRows * kHidden, 4), residual = halves(kRows * kHidden, 5);
    const auto weight = halves(kHidden, 6);
    std::vector<uint16_t> out(x.size()), residual_out(x.size());
    host_rmsnorm(dtype)(out.data(), residual_out.data(), x.data(), residual.data(), weight.data(),
                        kRows, kHidden, kEpsilon);
    const auto x32 = floats(x), residual32 = floats(residual), weight32 = floats(weight);
    std::vector<float> out32(x.size()), residual_out32(x.size());
    host_rmsnorm(MUSTER_F32)(out32.data(), residual_out32.data(), x32.data(), residual32.data(),
                             weight32.data(), kRows, kHidden, kEpsilon);
    for (size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(out[i], encode(out32[i]));
      EXPECT_EQ(residual_out[i], encode(residual_out32[i]));
    }
  }
}

TEST(HostRmsnorm, GivenBuffersThatTheContractAllowsToShareThenTheResultIsTheSame) {
  constexpr uint64_t kRows = 3, kHidden = 70;
  const auto x = normal_floats(kRows * kHidden, 7), residual = normal_floats(kRows * kHidden, 8);
  const auto weight = normal_floats(kHidden, 9);
  std::vector<float> out(x.size()), residual_out(x.size());
  const muster_host_rmsnorm kernel = host_rmsnorm(MUSTER_F32);
  kernel(out.data(), residual_out.data(), x.data(), residual.data(), weight.data(), kRows, kHidden,
         kEpsilon);
  std::vector<float> shared_x = x, shared_residual = residual;
  kernel(shared_x.data(), shared_residual.data(), shared_x.data(), shared_residual.data(),
         weight.data(), kRows, kHidden, kEpsilon);
  EXPECT_EQ(shared_x, out);
  EXPECT_EQ(shared_residual, residual_out);
}

TEST(HostRmsnorm, GivenNoResidualThenXIsNormalisedAlone) {
  const std::vector<float> x = {3, 4}, weight = {1, 2};
  std::vector<float> out(2);
  host_rmsnorm(MUSTER_F32)(out.data(), nullptr, x.data(), nullptr, weight.data(), 1, 2, 0.0);
  EXPECT_FLOAT_EQ(out[0], 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(out[1], 8 / std::sqrt(12.5f));
}

TEST(HostRmsnorm, GivenADtypeWithoutAKernelThenThereIsNone) {
  EXPECT_EQ(host_rmsnorm(MUSTER_F64), nullptr);
  EXPECT_EQ(host_rmsnorm(MUSTER_I32), nullptr);
}

}  // namespace
}  // namespace muster
