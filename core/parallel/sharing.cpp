#include "core/parallel/sharing.hpp"

#include <fmt/format.h>

namespace muster {

std::string role_group_name(std::string_view layout, muster_role role) {
  return layout.empty() ? muster_role_name(role)
                        : fmt::format("{}.{}", layout, muster_role_name(role));
}

Sharing share_groups(const LayoutSizes& sizes, uint32_t roles, const Config& config,
                     std::string_view layout) {
  Sharing sharing{};
  std::array<std::string, MUSTER_ROLE_END> policies;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    if ((roles >> role & 1u) == 0) continue;
    policies[role] = group_policy_text(config, role_group_name(layout, role));
    sharing[role] = role;
    for (muster_role earlier = MUSTER_ROLE_WORLD; earlier < role; ++earlier) {
      if (sharing[earlier] != earlier || policies[earlier] != policies[role] ||
          role_shape(sizes, earlier) != role_shape(sizes, role)) {
        continue;
      }
      sharing[role] = earlier;
      break;
    }
  }
  return sharing;
}

}  // namespace muster
