// 16-bit floats to f32 and back. MPI has no 16-bit floats, and an operation on pairs of them would
// round at every step; so they are widened, reduced as f32, and rounded once. Pure, any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_HALF_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_HALF_HPP

#include <cstdint>

#include "muster/types.h"

namespace muster::mpi {

constexpr bool is_half(muster_dtype dtype) { return dtype == MUSTER_F16 || dtype == MUSTER_BF16; }

// to[i] = from[i] * scalar; scalar is one element of dtype, or null for 1.
void widen(muster_dtype dtype, const void* from, float* to, uint64_t count, const void* scalar);
// to[i] = round(from[i] / divisor), to nearest even.
void narrow(muster_dtype dtype, const float* from, void* to, uint64_t count, uint64_t divisor);

}  // namespace muster::mpi

#endif
