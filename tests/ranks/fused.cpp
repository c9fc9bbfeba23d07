#include "tests/ranks/fused.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace muster::ranks {
namespace {

using Row = std::array<double, kHidden>;

Row values_of(const Input& input, uint64_t first) {
  std::array<unsigned char, kHidden * 8> stored;
  input.fill(stored.data(), first, kHidden);
  Row row;
  for (uint64_t i = 0; i < kHidden; ++i) {
    row[i] = float_value(input.dtype, stored.data() + i * bytes_of(input.dtype));
  }
  return row;
}

}  // namespace

void check_fused_row(const FusedInputs& inputs, uint64_t row, const void* recv,
                     const void* residual_out, Wrong& wrong) {
  const Reduction& reduction = inputs.reduction;
  const muster_dtype dtype = reduction.dtype;
  const uint64_t element = bytes_of(dtype);
  const double half = epsilon_of(dtype) / 2;  // relative error of one rounding
  const double unit = epsilon_of(MUSTER_F32) / 2;
  double factor = 1;
  if (reduction.scalar != nullptr) factor = float_value(dtype, reduction.scalar);
  Row sum = {};
  Row magnitude = {};
  for (uint32_t r = 0; r < reduction.ranks; ++r) {
    const Row next = values_of({reduction.seed, r, dtype, reduction.special}, row * kHidden);
    for (uint64_t i = 0; i < kHidden; ++i) {
      sum[i] += next[i] * factor;
      magnitude[i] += std::fabs(next[i] * factor);
    }
  }
  const Row weight = values_of(inputs.weight, 0);
  Row residual = {};
  if (inputs.has_residual) residual = values_of(inputs.residual, row * kHidden);
  Row error;
  double squares = 0;
  double squares_error = 0;
  for (uint64_t i = 0; i < kHidden; ++i) {
    error[i] = half * std::fabs(sum[i]) + (reduction.ranks + 3) * unit * magnitude[i];
    sum[i] += residual[i];
    error[i] += unit * std::fabs(sum[i]);
    squares += sum[i] * sum[i];
    squares_error += 2 * std::fabs(sum[i]) * error[i];
  }
  const double mean = squares / kHidden + inputs.epsilon;
  const double scale = 1 / std::sqrt(mean);
  const double scale_error = squares_error / kHidden / mean / 2 + (kHidden + 8) * unit;
  const auto compare = [&](const void* at, uint64_t i, double expected, double slack,
                           const char* what) {
    const double got = float_value(dtype, static_cast<const unsigned char*>(at) + i * element);
    // The comparison is false for NaN.
    if (std::fabs(got - expected) <= slack + half * std::fabs(expected) + 1e-30) return;
    wrong.note(1, fmt::format("row {}, element {} of {}: {:.9g} instead of {:.9g} +- {:.3g}", row,
                              i, what, got, expected, slack));
  };
  for (uint64_t i = 0; i < kHidden; ++i) {
    compare(residual_out, i, sum[i], error[i] * 1.01, "residual_out");
    const double norm = sum[i] * scale * weight[i];
    const double slack = error[i] * scale * std::fabs(weight[i]) + std::fabs(norm) * scale_error;
    compare(recv, i, norm, slack * 1.1, "recv");
  }
}

}  // namespace muster::ranks
