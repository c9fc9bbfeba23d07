// C++17, header-only, over parallel.h: layouts whose groups are asked for by role, and groups by
// hand.
//
//   using namespace muster::api;
//   Layout layout(runtime, LayoutSizes::parse("tp=8,ep=4"));
//   layout.tp().all_reduce(send, recv, MUSTER_SUM);
//   layout.moe_ep().all_to_allv(...);
//
// Thread rules, collectives and sharing of groups are those of parallel.h. Destroy layouts, as
// groups, before their runtime.
#ifndef MUSTER_PARALLEL_HPP
#define MUSTER_PARALLEL_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "muster/muster.hpp"
#include "muster/parallel.h"

namespace muster::api {

struct LayoutSizes : muster_layout_sizes {
  LayoutSizes() : muster_layout_sizes{} { struct_size = MUSTER_LAYOUT_SIZES_SIZE; }
  // "tp=8,ep=4,attn_dp=2"
  static LayoutSizes parse(const std::string& text) {
    LayoutSizes sizes;
    check(muster_layout_parse(text.c_str(), &sizes));
    return sizes;
  }
  // The group of `role` that `rank` is in, for a world of this size. No runtime is needed.
  std::vector<uint32_t> ranks_of(muster_role role, uint32_t rank, uint32_t world) const {
    std::vector<uint32_t> ranks(world);
    uint32_t count = 0;
    check(muster_layout_ranks(this, world, role, rank, ranks.data(), world, &count));
    ranks.resize(count);
    return ranks;
  }
};

struct LayoutOptions : muster_layout_options {
  LayoutOptions() : muster_layout_options{} { struct_size = MUSTER_LAYOUT_OPTIONS_SIZE; }
};

// A role's group: every operation of Group, without owning it. Valid as long as its layout.
class RoleGroup : public Group {
 public:
  explicit RoleGroup(muster_group* borrowed) : Group(borrowed) {}
  RoleGroup(RoleGroup&&) noexcept = default;
  RoleGroup& operator=(RoleGroup&&) = delete;
  ~RoleGroup() { handle_.release(); }
};

namespace detail {
// A layout with work outstanding is left to muster_finalize.
inline void destroy_layout(muster_layout* layout) {
  muster_status_release(muster_layout_destroy(layout));
}
}  // namespace detail

// The groups of all roles.
class Layout : public detail::Owner<muster_layout, detail::destroy_layout> {
 public:
  // Collective over the world.
  Layout(const Runtime& runtime, const LayoutSizes& sizes, const LayoutOptions& options = {}) {
    muster_layout* out = nullptr;
    check(muster_layout_create(runtime.get(), &sizes, &options, &out));
    handle_.reset(out);
  }
  // As the destructor, but says why the layout cannot end yet, and keeps it.
  void destroy() {
    check(muster_layout_destroy(get()));
    handle_.release();
  }

  RoleGroup group(muster_role role) const {
    muster_group* out = nullptr;
    check(muster_layout_group(get(), role, &out));
    return RoleGroup(out);
  }
  RoleGroup world() const { return group(MUSTER_ROLE_WORLD); }
  RoleGroup tp() const { return group(MUSTER_ROLE_TP); }
  RoleGroup attn_tp() const { return group(MUSTER_ROLE_ATTN_TP); }
  RoleGroup attn_cp() const { return group(MUSTER_ROLE_ATTN_CP); }
  RoleGroup attn_dp() const { return group(MUSTER_ROLE_ATTN_DP); }
  RoleGroup moe_ep() const { return group(MUSTER_ROLE_MOE_EP); }
  RoleGroup moe_tp() const { return group(MUSTER_ROLE_MOE_TP); }
  RoleGroup moe_dp() const { return group(MUSTER_ROLE_MOE_DP); }
  RoleGroup pp() const { return group(MUSTER_ROLE_PP); }
  RoleGroup dp() const { return group(MUSTER_ROLE_DP); }
  RoleGroup dcp() const { return group(MUSTER_ROLE_DCP); }
  RoleGroup shared_experts_tp() const { return group(MUSTER_ROLE_SHARED_EXPERTS_TP); }

  // JSON, "muster.layout/1".
  std::string describe() const {
    char* text = nullptr;
    check(muster_layout_describe(get(), &text));
    const std::unique_ptr<char, void (*)(char*)> owner(text, muster_text_release);
    return text;
  }
};

// One group that this process wants to be a member of.
struct GroupRequest {
  std::vector<uint32_t> ranks;
  GroupOptions options;
};

// The groups in the order of the requests, which may differ on every rank. Collective over the
// world.
inline std::vector<Group> create_groups(const Runtime& runtime,
                                        const std::vector<GroupRequest>& requests) {
  std::vector<muster_group_request> records;
  for (const GroupRequest& request : requests) {
    // An empty list would otherwise be a NULL one, which says nothing about its length.
    static const uint32_t none = 0;
    records.push_back({MUSTER_GROUP_REQUEST_SIZE, static_cast<uint32_t>(request.ranks.size()),
                       request.ranks.empty() ? &none : request.ranks.data(), &request.options});
  }
  std::vector<muster_group*> out(requests.size());
  check(muster_groups_create(runtime.get(), records.data(), static_cast<uint32_t>(records.size()),
                             out.data()));
  std::vector<Group> groups;
  for (muster_group* group : out) groups.emplace_back(group);
  return groups;
}

namespace detail {
inline std::optional<Group> split(const Group& group, uint32_t colour, uint32_t key,
                                  const muster_group_options* options) {
  muster_group* out = nullptr;
  check(muster_group_split(group.get(), colour, key, options, &out));
  return out == nullptr ? std::nullopt : std::optional<Group>(Group(out));
}
}  // namespace detail

// The ranks of this colour, ordered by key; none for MUSTER_NO_COLOUR. Collective over the group.
inline std::optional<Group> split(const Group& group, uint32_t colour, uint32_t key = 0) {
  return detail::split(group, colour, key, nullptr);
}
inline std::optional<Group> split(const Group& group, uint32_t colour, uint32_t key,
                                  const GroupOptions& options) {
  return detail::split(group, colour, key, &options);
}

}  // namespace muster::api

#endif
