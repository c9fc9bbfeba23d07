// all_gather, gather and reduce_scatter along any dimension: the group's plain operation, and the
// movement of runs where a rank's elements do not lie together in the result.
//
// outer = the sizes before the dimension. outer == 1: the plain operation on the caller's buffers.
// Else through scratch of the group, which grows in eager phases only (muster_group_reserve).
// [group-serial] [collective]. As torch's all_gather + movedim + reshape.
#ifndef MUSTER_CORE_TENSORS_DIMENSION_HPP
#define MUSTER_CORE_TENSORS_DIMENSION_HPP

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "core/query/scratch.hpp"
#include "core/tensors/shape.hpp"
#include "muster/call.h"

namespace muster {

// `call` has everything but its count; op is ALL_GATHER, GATHER or REDUCE_SCATTER, and shape is
// that of send.
Status run_along(muster_group& group, muster_call call, ShapeView shape, uint32_t dim);

// Whose scratch it is: beside those of the compositions.
Scratch::User dimension_scratch(const muster_group& group);

}  // namespace muster

#endif
