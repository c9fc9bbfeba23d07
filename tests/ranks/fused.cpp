#include "tests/ranks/fused.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

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

// A stored f8e4m3: sign, four bits of exponent, three of mantissa, no infinity.
double f8_value(unsigned char stored) {
  const int exponent = (stored >> 3) & 0xf;
  const int mantissa = stored & 7;
  if ((stored & 0x7f) == 0x7f) return NAN;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(mantissa + 8, exponent - 10);
  return (stored & 0x80) != 0 ? -magnitude : magnitude;
}

// `norm` with its slack, as a quantised row holds it.
void check_quantised(const Row& norm, const Row& slack, uint64_t row, const FusedRow& got,
                     Wrong& wrong) {
  for (uint64_t first = 0; first < kHidden; first += kQuantGroup) {
    float stored = 0;
    std::memcpy(&stored, static_cast<const float*>(got.scales) + first / kQuantGroup,
                sizeof(stored));
    const double scale = stored;
    double largest = 0;
    double largest_slack = 0;
    for (uint64_t i = first; i < first + kQuantGroup; ++i) {
      largest = std::max(largest, std::fabs(norm[i]));
      largest_slack = std::max(largest_slack, slack[i]);
      const double value = f8_value(static_cast<const unsigned char*>(got.recv)[i]) * scale;
      const double step = std::max(std::fabs(norm[i]) / 16, scale / 1024);
      if (std::fabs(value - norm[i]) <= 1.1 * (step + slack[i])) continue;
      wrong.note(
          1, fmt::format("row {}, element {} of recv: {:.9g} instead of {:.9g}, scale {:.9g}", row,
                         i, value, norm[i], scale));
    }
    const double expected = largest == 0 ? 1 : largest / 448;
    if (std::fabs(scale - expected) <= largest_slack / 448 + expected * 1e-6) continue;
    wrong.note(1, fmt::format("row {}, scale of element {}: {:.9g} instead of {:.9g}", row, first,
                              scale, expected));
  }
}

}  // namespace

void check_fused_row(const FusedInputs& inputs, uint64_t row, const FusedRow& got, Wrong& wrong) {
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
    const double found = float_value(dtype, static_cast<const unsigned char*>(at) + i * element);
    // The comparison is false for NaN.
    if (std::fabs(found - expected) <= slack + half * std::fabs(expected) + 1e-30) return;
    wrong.note(1, fmt::format("row {}, element {} of {}: {:.9g} instead of {:.9g} +- {:.3g}", row,
                              i, what, found, expected, slack));
  };
  Row norm;
  Row slack;
  for (uint64_t i = 0; i < kHidden; ++i) {
    compare(got.residual_out, i, sum[i], error[i] * 1.01, "residual_out");
    norm[i] = sum[i] * scale * weight[i];
    slack[i] = error[i] * scale * std::fabs(weight[i]) + std::fabs(norm[i]) * scale_error;
    if (got.scales == nullptr) compare(got.recv, i, norm[i], slack[i] * 1.1, "recv");
  }
  if (got.scales != nullptr) check_quantised(norm, slack, row, got, wrong);
}

}  // namespace muster::ranks
