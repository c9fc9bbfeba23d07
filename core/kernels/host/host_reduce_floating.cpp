#include "host_kernels.hpp"
#include "host_reduce.hpp"

namespace muster::kernels {
namespace {

template <typename Kind>
typename Kind::Function floating_of(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_F16:
      return host_reduce_of<Kind, MUSTER_F16, F16>(redop);
    case MUSTER_BF16:
      return host_reduce_of<Kind, MUSTER_BF16, Bf16>(redop);
    case MUSTER_F32:
      return host_reduce_of<Kind, MUSTER_F32, Native<float>>(redop);
    case MUSTER_F64:
      return host_reduce_of<Kind, MUSTER_F64, Native<double>>(redop);
    default:
      return nullptr;
  }
}

}  // namespace

muster_host_reduce floating_host_reduce(Algorithm algorithm, muster_dtype dtype,
                                        muster_redop redop) {
  return algorithm == Algorithm::kStreaming ? floating_of<Streaming>(dtype, redop)
                                            : floating_of<Cached>(dtype, redop);
}

muster_host_reduce_pair floating_host_reduce_pair(muster_dtype dtype, muster_redop redop) {
  return floating_of<Pair>(dtype, redop);
}

}  // namespace muster::kernels
