#include "core/kernels/host_reduce.hpp"

namespace muster::kernels {

muster_host_reduce floating_host_reduce(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_F16:
      return host_reduce_of<F16>(redop);
    case MUSTER_BF16:
      return host_reduce_of<Bf16>(redop);
    case MUSTER_F32:
      return host_reduce_of<Native<float>>(redop);
    case MUSTER_F64:
      return host_reduce_of<Native<double>>(redop);
    default:
      return nullptr;
  }
}

}  // namespace muster::kernels
