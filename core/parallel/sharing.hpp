// Which roles of a layout use one group: those whose partitions of the world are equal and for
// whose groups the configuration says the same.
//
// A pure function of what all ranks hold alike, so it is equal everywhere, and serves imagined
// layouts too. Any thread.
#ifndef MUSTER_CORE_PARALLEL_SHARING_HPP
#define MUSTER_CORE_PARALLEL_SHARING_HPP

#include <array>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "core/parallel/roles.hpp"

namespace muster {

// By role: the first role that has the same group, which may be itself; NONE: not asked for.
using Sharing = std::array<muster_role, MUSTER_ROLE_END>;

inline constexpr uint32_t kAllRoles = (1u << MUSTER_ROLE_END) - 2;

// "<layout>.<role>", "<role>" when the layout has no name.
std::string role_group_name(std::string_view layout, muster_role role);

// roles: bits 1 << role. Roles come in the order of the vocabulary, in which their groups are made.
Sharing share_groups(const LayoutSizes& sizes, uint32_t roles, const Config& config,
                     std::string_view layout);

}  // namespace muster

#endif
