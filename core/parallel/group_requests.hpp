// Groups by hand: every process gives its own list of groups that it wants to be in.
#ifndef MUSTER_CORE_PARALLEL_GROUP_REQUESTS_HPP
#define MUSTER_CORE_PARALLEL_GROUP_REQUESTS_HPP

#include <memory>
#include <vector>

#include "core/agree/runtime.hpp"
#include "core/dispatch/group.hpp"
#include "core/parallel/wish.hpp"

namespace muster {

// The groups in the order of the wishes; a mistake that this rank has found in its own is told to
// all, who refuse with it. All or none on every rank. As one MPI_Comm_create_group per group, but
// in any order. [collective over the world]
Result<std::vector<std::unique_ptr<muster_group>>> request_groups(
    muster_runtime& runtime, Result<std::vector<GroupWish>> wishes);

}  // namespace muster

#endif
