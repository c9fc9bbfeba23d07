#include "host_kernels.hpp"
#include "host_reduce.hpp"

namespace muster::kernels {
namespace {

template <bool kStreaming>
muster_host_reduce floating_of(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_F16:
      return host_reduce_of<MUSTER_F16, F16, kStreaming>(redop);
    case MUSTER_BF16:
      return host_reduce_of<MUSTER_BF16, Bf16, kStreaming>(redop);
    case MUSTER_F32:
      return host_reduce_of<MUSTER_F32, Native<float>, kStreaming>(redop);
    case MUSTER_F64:
      return host_reduce_of<MUSTER_F64, Native<double>, kStreaming>(redop);
    default:
      return nullptr;
  }
}

}  // namespace

muster_host_reduce floating_host_reduce(Algorithm algorithm, muster_dtype dtype,
                                        muster_redop redop) {
  return algorithm == Algorithm::kStreaming ? floating_of<true>(dtype, redop)
                                            : floating_of<false>(dtype, redop);
}

}  // namespace muster::kernels
