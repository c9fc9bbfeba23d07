// muster's element types and reduce operations in MPI's words, by table.
//
// MPI's predefined operations serve where they mean the same as muster's. Where they do not, or do
// not promise it, a user-defined MPI_Op calls the runtime's host_reduce kernel: integers of 8 and
// 16 bits (Open MPI's vector code saturates their sums), min and max of floats (NaN must win).
// Thread rule: operation() may run on any thread once MPI is live.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_TYPES_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_TYPES_HPP

#include <cstdint>

#include "muster/kernels.h"
#include "muster/plugin.hpp"
#include "plugins/backends/mpi/library.hpp"

namespace muster::mpi {

// What a reduction of `dtype` is carried out in: f32 for 16-bit floats, u8 for bool (whose values
// are 0 and 1), else the type itself.
muster_dtype carrier(muster_dtype dtype);

// Of a carrier.
MPI_Datatype datatype(muster_dtype carrier);
// Of a carrier; avg gives the sum. MPI_OP_NULL for what is not offered.
MPI_Op operation(muster_dtype carrier, muster_redop redop);

// Finds the kernels of the user-defined operations. Throws UNAVAILABLE, naming the kernel, when the
// runtime lacks one. The kernels live as long as the process, so they are kept per process.
void resolve_kernels(const plugin::Host& host);
// Of a carrier: for scaling (sum) and dividing (avg). Resolved before.
muster_host_reduce kernel(muster_dtype carrier, muster_redop redop);

}  // namespace muster::mpi

#endif
