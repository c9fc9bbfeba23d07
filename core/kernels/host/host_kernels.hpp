// What the sources of this folder hold, compiled for one instruction set: a kernel per key. Called
// only where the processor has that instruction set, for even the look-up is compiled for it.
//
// This folder is compiled into libmuster (for every machine), into the packs of plugins/kernels
// (for newer ones) and by `muster precompile` (for the very machine). So it includes muster/*.h and
// itself, and nothing else.
//
// Floating point is never contracted and never reordered: an element's bits are the same on every
// instruction set, except which NaN it is. That is why bf16 and f16 arithmetic of newer processors
// (AVX512-BF16, AVX512-FP16), which rounds more often or drops subnormals, is not used.
#ifndef MUSTER_CORE_KERNELS_HOST_HOST_KERNELS_HPP
#define MUSTER_CORE_KERNELS_HOST_HOST_KERNELS_HPP

#include "muster/kernels.h"

namespace muster::kernels {

enum class Algorithm : uint32_t { kCached, kStreaming };

// NULL where the pair is not defined, or the dtype is of the other kind.
muster_host_reduce integer_host_reduce(Algorithm algorithm, muster_dtype dtype, muster_redop redop);
muster_host_reduce floating_host_reduce(Algorithm algorithm, muster_dtype dtype,
                                        muster_redop redop);
muster_host_reduce_pair integer_host_reduce_pair(muster_dtype dtype, muster_redop redop);
muster_host_reduce_pair floating_host_reduce_pair(muster_dtype dtype, muster_redop redop);
muster_host_copy host_copy_kernel(Algorithm algorithm);
// f16, bf16, f32; NULL for any other dtype.
muster_host_rmsnorm host_rmsnorm_kernel(muster_dtype dtype);
muster_host_rmsnorm_quant host_rmsnorm_quant_kernel(muster_dtype dtype);

}  // namespace muster::kernels

#endif
