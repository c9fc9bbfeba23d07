#include "core/parallel/roles.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"

namespace muster {
namespace {

RoleShape shape(uint32_t length, uint32_t stride) { return {length, length == 1 ? 1 : stride}; }

}  // namespace

RoleShape role_shape(const LayoutSizes& sizes, muster_role role) {
  switch (role) {
    case MUSTER_ROLE_WORLD:
      return shape(sizes.world, 1);
    case MUSTER_ROLE_TP:
      return shape(sizes.tp, 1);
    case MUSTER_ROLE_ATTN_TP:
      return shape(sizes.attn_tp, 1);
    case MUSTER_ROLE_ATTN_CP:
      return shape(sizes.attn_cp, sizes.attn_tp);
    case MUSTER_ROLE_ATTN_DP:
      return shape(sizes.attn_dp, sizes.attn_tp * sizes.attn_cp);
    case MUSTER_ROLE_MOE_EP:
      return shape(sizes.ep, sizes.moe_tp);
    case MUSTER_ROLE_MOE_TP:
      return shape(sizes.moe_tp, 1);
    case MUSTER_ROLE_MOE_DP:
      return shape(sizes.moe_dp, sizes.moe_tp * sizes.ep);
    case MUSTER_ROLE_PP:
      return shape(sizes.pp, sizes.tp);
    case MUSTER_ROLE_DP:
      return shape(sizes.dp, sizes.tp * sizes.pp);
    case MUSTER_ROLE_DCP:
      return shape(sizes.dcp, 1);
    case MUSTER_ROLE_SHARED_EXPERTS_TP:
      return shape(sizes.shared_experts_tp, 1);
    default:
      return {};
  }
}

std::vector<uint32_t> role_ranks(const LayoutSizes& sizes, muster_role role, uint32_t rank) {
  const RoleShape groups = role_shape(sizes, role);
  const uint32_t digit = rank / groups.stride % groups.length;
  std::vector<uint32_t> ranks;
  for (uint32_t i = 0; i < groups.length; ++i)
    ranks.push_back(rank - digit * groups.stride + i * groups.stride);
  return ranks;
}

std::vector<std::vector<uint32_t>> role_partition(const LayoutSizes& sizes, muster_role role) {
  std::vector<std::vector<uint32_t>> groups;
  for (uint32_t rank = 0; rank < sizes.world; ++rank) {
    std::vector<uint32_t> ranks = role_ranks(sizes, role, rank);
    if (ranks.front() == rank) groups.push_back(std::move(ranks));
  }
  return groups;
}

std::optional<muster_role> role_from_name(std::string_view name) {
  if (name == "ep") return MUSTER_ROLE_MOE_EP;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    if (name == muster_role_name(role)) return role;
  }
  return std::nullopt;
}

Status unknown_role(std::string_view name) {
  std::vector<std::string_view> names;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role)
    names.push_back(muster_role_name(role));
  const std::string_view nearest = nearest_name(name, names);
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("there is no role '{}'", name),
                nearest.empty() ? fmt::format("the roles are {}", fmt::join(names, ", "))
                                : fmt::format("did you mean '{}'?", nearest));
}

}  // namespace muster
