#include "host_kernels.hpp"
#include "norm_row.hpp"
#include "selection.hpp"

namespace muster::kernels {
namespace {

// Nothing is written before the last read of the first pass, and the second reads each element
// before it writes it, so both aliases hold.
template <typename Element>
void host_rmsnorm(void* out, void* residual_out, const void* x, const void* residual,
                  const void* weight, uint64_t rows, uint64_t hidden, double epsilon) {
  using Stored = typename Element::Stored;
  for (uint64_t r = 0; r < rows; ++r) {
    const NormRow<Element> row{x, residual, r * hidden};
    const float scale = norm_of(row, hidden, epsilon);
    for (uint64_t i = 0; i < hidden; ++i) {
      const float value = row.at(i);
      const float normalised = value * scale * Element::load(load_at<Stored>(weight, i));
      if (residual_out != nullptr) store_at(residual_out, row.start + i, Element::store(value));
      store_at(out, row.start + i, Element::store(normalised));
    }
  }
}

template <muster_dtype kDtype, typename Element>
muster_host_rmsnorm host_rmsnorm_of() {
  if constexpr (selected(MUSTER_FAMILY_HOST_RMSNORM, Algorithm::kCached, kDtype)) {
    return &host_rmsnorm<Element>;
  } else {
    return nullptr;
  }
}

}  // namespace

muster_host_rmsnorm host_rmsnorm_kernel(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_F16:
      return host_rmsnorm_of<MUSTER_F16, F16>();
    case MUSTER_BF16:
      return host_rmsnorm_of<MUSTER_BF16, Bf16>();
    case MUSTER_F32:
      return host_rmsnorm_of<MUSTER_F32, Native<float>>();
    default:
      return nullptr;
  }
}

}  // namespace muster::kernels
