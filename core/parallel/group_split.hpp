// Cuts a group into groups of equal colour.
#ifndef MUSTER_CORE_PARALLEL_GROUP_SPLIT_HPP
#define MUSTER_CORE_PARALLEL_GROUP_SPLIT_HPP

#include <memory>
#include <optional>

#include "core/dispatch/group.hpp"
#include "core/parallel/wish.hpp"
#include "muster/parallel.h"

namespace muster {

struct SplitWish {
  uint32_t colour = MUSTER_NO_COLOUR;
  uint32_t key = 0;
  std::optional<GroupWish> options;  // without ranks; none: those of the group
};

// NULL for MUSTER_NO_COLOUR. A mistake that this rank has found in its own arguments is told to
// all. All or none on every rank of the group. [collective]
Result<std::unique_ptr<muster_group>> split_group(muster_group& group, Result<SplitWish> wish);

}  // namespace muster

#endif
