#include "core/parallel/roles.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"

namespace muster {
namespace {

RoleShape digit(uint32_t length, uint32_t stride) { return {length, length == 1 ? 1 : stride}; }

}  // namespace

RoleShape role_shape(const LayoutSizes& sizes, muster_role role) {
  switch (role) {
    case MUSTER_ROLE_WORLD:
      return digit(sizes.world, 1);
    case MUSTER_ROLE_TP:
      return digit(sizes.tp, 1);
    case MUSTER_ROLE_ATTN_TP:
      return digit(sizes.attn_tp, 1);
    case MUSTER_ROLE_ATTN_CP:
      return digit(sizes.attn_cp, sizes.attn_tp);
    case MUSTER_ROLE_ATTN_DP:
      return digit(sizes.attn_dp, sizes.attn_tp * sizes.attn_cp);
    case MUSTER_ROLE_MOE_EP:
      return digit(sizes.ep, sizes.moe_tp);
    case MUSTER_ROLE_MOE_TP:
      return digit(sizes.moe_tp, 1);
    case MUSTER_ROLE_MOE_DP:
      return digit(sizes.moe_dp, sizes.moe_tp * sizes.ep);
    case MUSTER_ROLE_PP:
      return digit(sizes.pp, sizes.tp);
    case MUSTER_ROLE_DP:
      return digit(sizes.dp, sizes.tp * sizes.pp);
    case MUSTER_ROLE_DCP:
      return digit(sizes.dcp, 1);
    case MUSTER_ROLE_SHARED_EXPERTS_TP:
      return digit(sizes.shared_experts_tp, 1);
    default:
      return {};
  }
}

std::vector<uint32_t> role_ranks(const LayoutSizes& sizes, muster_role role, uint32_t rank) {
  const RoleShape groups = role_shape(sizes, role);
  const uint32_t place = rank / groups.stride % groups.length;
  std::vector<uint32_t> ranks;
  for (uint32_t i = 0; i < groups.length; ++i)
    ranks.push_back(rank - place * groups.stride + i * groups.stride);
  return ranks;
}

std::vector<std::vector<uint32_t>> role_partition(const LayoutSizes& sizes, muster_role role) {
  const RoleShape shape = role_shape(sizes, role);
  std::vector<std::vector<uint32_t>> groups;
  for (uint32_t rank = 0; rank < sizes.world; ++rank) {
    if (rank / shape.stride % shape.length == 0) groups.push_back(role_ranks(sizes, role, rank));
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
