// One row of RMSNorm, as the kernels of families host_rmsnorm/1 and host_rmsnorm_quant/1 share it.
// Private to the kernels.
//
// Several passes over a row instead of a buffer of its length.
#ifndef MUSTER_CORE_KERNELS_HOST_NORM_ROW_HPP
#define MUSTER_CORE_KERNELS_HOST_NORM_ROW_HPP

#include <cmath>
#include <cstdint>

#include "steps.hpp"

namespace muster::kernels {

// Sums and maxima over a row are kept in this many partial ones, element i in number i % kLanes: a
// fixed order that the compiler can vectorise.
inline constexpr uint64_t kLanes = 16;

template <typename Element>
struct NormRow {
  using Stored = typename Element::Stored;
  const void* x;
  const void* residual;
  uint64_t start;

  float at(uint64_t i) const {
    const float value = Element::load(load_at<Stored>(x, start + i));
    if (residual == nullptr) return value;
    return value + Element::load(load_at<Stored>(residual, start + i));
  }
};

template <typename Element>
float sum_of_squares(const NormRow<Element>& row, uint64_t hidden) {
  float lanes[kLanes] = {};
  const uint64_t whole = hidden - hidden % kLanes;
  for (uint64_t i = 0; i < whole; i += kLanes) {
    for (uint64_t lane = 0; lane < kLanes; ++lane) {
      const float value = row.at(i + lane);
      lanes[lane] += value * value;
    }
  }
  for (uint64_t i = whole; i < hidden; ++i) {
    const float value = row.at(i);
    lanes[i - whole] += value * value;
  }
  for (uint64_t width = kLanes / 2; width > 0; width /= 2) {
    for (uint64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// What every element of the row is multiplied by, before the weight.
template <typename Element>
float norm_of(const NormRow<Element>& row, uint64_t hidden, double epsilon) {
  const float mean = sum_of_squares(row, hidden) / static_cast<float>(hidden);
  return 1.0f / std::sqrt(mean + static_cast<float>(epsilon));
}

}  // namespace muster::kernels

#endif
