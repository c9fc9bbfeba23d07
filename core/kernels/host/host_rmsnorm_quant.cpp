#include <limits>

#include "host_kernels.hpp"
#include "norm_row.hpp"
#include "selection.hpp"

namespace muster::kernels {
namespace {

constexpr float kLargest = 448.0f;  // of f8e4m3

// The largest magnitude among the finite ones, 0 when there is none.
template <typename Value>
float largest_finite(uint64_t from, uint64_t count, const Value& value) {
  const auto take = [&](float& largest, uint64_t i) {
    const float magnitude = std::fabs(value(from + i));
    const float finite = magnitude <= std::numeric_limits<float>::max() ? magnitude : 0.0f;
    largest = finite > largest ? finite : largest;
  };
  float lanes[kLanes] = {};
  const uint64_t whole = count - count % kLanes;
  for (uint64_t i = 0; i < whole; i += kLanes) {
    for (uint64_t lane = 0; lane < kLanes; ++lane) take(lanes[lane], i + lane);
  }
  for (uint64_t i = whole; i < count; ++i) take(lanes[i - whole], i);
  float largest = 0.0f;
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  return largest;
}

// The largest of a group is known before anything of the group is written, and residual_out is
// written after the last read of an element, so residual_out may be residual.
template <typename Element>
void host_rmsnorm_quant(uint8_t* out, float* scales, void* residual_out, const void* x,
                        const void* residual, const void* weight, uint64_t rows, uint64_t hidden,
                        uint64_t group, double epsilon) {
  using Stored = typename Element::Stored;
  uint64_t next_scale = 0;
  for (uint64_t r = 0; r < rows; ++r) {
    const NormRow<Element> row{x, residual, r * hidden};
    const float norm = norm_of(row, hidden, epsilon);
    const auto normalised = [&](uint64_t i) {
      return row.at(i) * norm * Element::load(load_at<Stored>(weight, i));
    };
    for (uint64_t from = 0; from < hidden; from += group) {
      const float wanted = largest_finite(from, group, normalised) / kLargest;
      const float scale = wanted >= std::numeric_limits<float>::min() ? wanted : 1.0f;
      store_at(scales, next_scale++, scale);
      for (uint64_t i = from; i < from + group; ++i) {
        const float value = row.at(i);
        const float normal = value * norm * Element::load(load_at<Stored>(weight, i));
        // The difference is 0, but NaN for an infinity, which must not look like a number.
        const uint8_t stored = f32_to_f8e4m3(normal / scale + (normal - normal));
        if (residual_out != nullptr) store_at(residual_out, row.start + i, Element::store(value));
        store_at(out, row.start + i, stored);
      }
    }
  }
}

template <muster_dtype kDtype, typename Element>
muster_host_rmsnorm_quant host_rmsnorm_quant_of() {
  if constexpr (selected(MUSTER_FAMILY_HOST_RMSNORM_QUANT, Algorithm::kCached, kDtype)) {
    return &host_rmsnorm_quant<Element>;
  } else {
    return nullptr;
  }
}

}  // namespace

muster_host_rmsnorm_quant host_rmsnorm_quant_kernel(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_F16:
      return host_rmsnorm_quant_of<MUSTER_F16, F16>();
    case MUSTER_BF16:
      return host_rmsnorm_quant_of<MUSTER_BF16, Bf16>();
    case MUSTER_F32:
      return host_rmsnorm_quant_of<MUSTER_F32, Native<float>>();
    default:
      return nullptr;
  }
}

}  // namespace muster::kernels
