// muster's element types and reduce operations in NCCL's words, by table. Pure.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_TYPES_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_TYPES_HPP

#include "muster/types.h"
#include "plugins/backends/nccl/api.hpp"

namespace muster::nccl {

inline constexpr Datatype kNoDatatype = -1;
inline constexpr RedOp kNoRedOp = -1;
inline constexpr Datatype kBytes = 1;  // ncclUint8

// What a reduction of `dtype` is carried out in; kNoDatatype where NCCL has none. bool is a byte of
// 0 or 1.
Datatype datatype_of(muster_dtype dtype);
// kNoRedOp for what NCCL does not do. The logical and bitwise "and" and "or" of bool are its
// minimum and maximum.
RedOp redop_of(muster_dtype dtype, muster_redop redop);

}  // namespace muster::nccl

#endif
