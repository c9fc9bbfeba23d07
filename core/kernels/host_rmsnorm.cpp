#include "core/kernels/host_rmsnorm.hpp"

#include <cmath>

#include "core/kernels/host_reduce.hpp"

namespace muster::kernels {
namespace {

// The sum of squares is kept in this many partial sums, element i in sum i % kLanes: a fixed order
// that the compiler can vectorise.
constexpr uint64_t kLanes = 16;

template <typename Element>
struct Row {
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
float sum_of_squares(const Row<Element>& row, uint64_t hidden) {
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

// Two passes over a row instead of a buffer of its length: nothing is written before the last read
// of the first pass, and the second reads each element before it writes it, so both aliases hold.
template <typename Element>
void host_rmsnorm(void* out, void* residual_out, const void* x, const void* residual,
                  const void* weight, uint64_t rows, uint64_t hidden, double epsilon) {
  using Stored = typename Element::Stored;
  for (uint64_t r = 0; r < rows; ++r) {
    const Row<Element> row{x, residual, r * hidden};
    const float mean = sum_of_squares(row, hidden) / static_cast<float>(hidden);
    const float scale = 1.0f / std::sqrt(mean + static_cast<float>(epsilon));
    for (uint64_t i = 0; i < hidden; ++i) {
      const float value = row.at(i);
      const float normalised = value * scale * Element::load(load_at<Stored>(weight, i));
      if (residual_out != nullptr) store_at(residual_out, row.start + i, Element::store(value));
      store_at(out, row.start + i, Element::store(normalised));
    }
  }
}

}  // namespace

muster_host_rmsnorm generic_host_rmsnorm(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_F16:
      return &host_rmsnorm<F16>;
    case MUSTER_BF16:
      return &host_rmsnorm<Bf16>;
    case MUSTER_F32:
      return &host_rmsnorm<Native<float>>;
    default:
      return nullptr;
  }
}

}  // namespace muster::kernels
