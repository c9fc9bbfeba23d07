// A live layout: for every role the group that this rank is in. The struct behind muster_layout.
//
// Made by create_layout (collective over the world), then read-only: any thread. Equivalent to the
// process groups that an engine makes at start.
#ifndef MUSTER_CORE_PARALLEL_LAYOUT_HPP
#define MUSTER_CORE_PARALLEL_LAYOUT_HPP

#include <array>
#include <string>

#include "core/agree/runtime.hpp"
#include "core/dispatch/group.hpp"
#include "core/parallel/sharing.hpp"
#include "core/parallel/wish.hpp"

struct muster_layout {
  muster::LayoutSizes sizes;
  uint32_t rank = 0;  // of the world
  muster::Sharing sharing{};
  std::array<muster_group*, MUSTER_ROLE_END> groups{};  // NULL: not asked for
};

namespace muster {

struct LayoutWish {
  LayoutSizes sizes;
  uint32_t roles = kAllRoles;
  std::string name;   // "": none
  GroupWish options;  // of every group; its ranks and name are not read
};

// A mistake that this rank has found in its own arguments is told to all. All or none on every
// rank. The layout lives until destroy_layout, or as long as the last of its groups.
Result<muster_layout*> create_layout(muster_runtime& runtime, const Result<LayoutWish>& wish);
// FAILED_PRECONDITION, and nothing destroyed, while works or plans of a group are outstanding.
Status destroy_layout(muster_layout& layout);

// "muster.layout/1"
std::string layout_json(const muster_layout& layout);

}  // namespace muster

#endif
