// The generic kernels of families host_rmsnorm/1 and host_rmsnorm_quant/1. Private to the kernels.
#ifndef MUSTER_CORE_KERNELS_HOST_RMSNORM_HPP
#define MUSTER_CORE_KERNELS_HOST_RMSNORM_HPP

#include "muster/kernels.h"

namespace muster::kernels {

// f16, bf16, f32; NULL for any other dtype.
muster_host_rmsnorm generic_host_rmsnorm(muster_dtype dtype);
muster_host_rmsnorm_quant generic_host_rmsnorm_quant(muster_dtype dtype);

}  // namespace muster::kernels

#endif
