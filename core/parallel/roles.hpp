// Which ranks form the groups of a role: pure arithmetic on the sizes of a layout.
//
// rank = (dp_index * pp + pp_index) * tp + place_in_tp, so the groups of every role are the ranks
// that differ in one digit of a mixed-radix number. Any thread. As parallel_state of the engines,
// without its process groups.
#ifndef MUSTER_CORE_PARALLEL_ROLES_HPP
#define MUSTER_CORE_PARALLEL_ROLES_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/parallel/layout_sizes.hpp"

namespace muster {

// The whole partition of a role in two numbers: every group has `length` ranks, `stride` apart.
// Equal shapes are equal partitions, and the other way round.
struct RoleShape {
  uint32_t length = 1;
  uint32_t stride = 1;  // 1 where length is 1
  friend bool operator==(const RoleShape&, const RoleShape&) = default;
};

// role: of the vocabulary, not NONE.
RoleShape role_shape(const LayoutSizes& sizes, muster_role role);
// The group that the rank is in, in group order.
std::vector<uint32_t> role_ranks(const LayoutSizes& sizes, muster_role role, uint32_t rank);
// All groups, by their first rank.
std::vector<std::vector<uint32_t>> role_partition(const LayoutSizes& sizes, muster_role role);

constexpr bool is_role(muster_role role) {
  return role > MUSTER_ROLE_NONE && role < MUSTER_ROLE_END;
}
// "ep" is moe_ep, as in the sizes of a layout.
std::optional<muster_role> role_from_name(std::string_view name);
// INVALID_ARGUMENT with the nearest name.
Status unknown_role(std::string_view name);

}  // namespace muster

#endif
