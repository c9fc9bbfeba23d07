#include "core/parallel/layout.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "core/agree/exchange.hpp"
#include "core/agree/group_setup.hpp"
#include "core/base/json_text.hpp"
#include "core/parallel/create_groups.hpp"

namespace muster {
namespace {

// What all ranks must have alike; a mistake counts, so that ranks without it learn of it.
Status compare(Exchange& exchange, const Result<LayoutWish>& wish) {
  std::vector<Compared> items(1);
  items[0].text = wish.ok() ? fmt::format("{} roles {:x} {}", layout_text(wish->sizes), wish->roles,
                                          wish->options.text())
                            : wish.status().cause();
  Result<std::vector<Difference>> differences = exchange.compare(items);
  if (!differences.ok()) return differences.take_status();
  if (differences->empty()) return wish.status().copy();
  const Difference& first = differences->front();
  return Status(MUSTER_MISMATCH,
                fmt::format("the ranks disagree about a layout: rank 0 has '{}', rank {} has '{}'",
                            first.at_rank_0, first.rank, first.at_rank),
                "give every rank the same sizes and options");
}

}  // namespace

Result<muster_layout*> create_layout(muster_runtime& runtime, const Result<LayoutWish>& wish) {
  std::vector<uint32_t> everyone(runtime.world->size());
  std::iota(everyone.begin(), everyone.end(), 0u);
  const uint64_t tag = runtime.next_tag(everyone);
  Exchange exchange(*runtime.world, everyone, tag, runtime.setup_deadline());
  MUSTER_TRY(compare(exchange, wish));

  const auto layout = std::make_shared<muster_layout>();
  layout->sizes = wish->sizes;
  layout->rank = runtime.world->rank();
  layout->sharing = share_groups(wish->sizes, wish->roles, runtime.config, wish->name);
  std::vector<GroupWish> wishes;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    if (layout->sharing[role] != role) continue;
    GroupWish& group = wishes.emplace_back(wish->options);
    group.ranks = role_ranks(wish->sizes, role, layout->rank);
    group.name = role_group_name(wish->name, role);
  }
  auto made = create_groups(runtime, wishes, everyone, tag);
  if (!made.ok()) return made.take_status();
  auto next = made->begin();
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    const muster_role first = layout->sharing[role];
    if (first == MUSTER_ROLE_NONE) continue;
    if (first == role) {
      layout->groups[role] = keep_group(std::move(*next++));
      layout->groups[role]->layout = layout;
      continue;
    }
    layout->groups[role] = layout->groups[first];
    runtime.records.add({Stage::kAgree, "group " + role_group_name(wish->name, role), "shared",
                         "it is group " + layout->groups[first]->name, ""});
  }
  return layout.get();
}

Status destroy_layout(muster_layout& layout) {
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    const muster_group* const group = layout.groups[role];
    if (group == nullptr || group->outstanding.load() == 0) continue;
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("group {} has {} works or plans outstanding", group->name,
                              group->outstanding.load()),
                  "wait for and release them first");
  }
  // The layout goes with its last group.
  const Sharing sharing = layout.sharing;
  const auto groups = layout.groups;
  for (muster_role role = MUSTER_ROLE_END - 1; role > MUSTER_ROLE_NONE; --role) {
    if (sharing[role] == role) end_group(groups[role]);
  }
  return Status();
}

std::string layout_json(const muster_layout& layout) {
  nlohmann::ordered_json json = {{"schema", "muster.layout/1"},
                                 {"rank", layout.rank},
                                 {"sizes", nlohmann::ordered_json::object()},
                                 {"roles", nlohmann::ordered_json::object()}};
  for (const auto& [name, size] : named_sizes(layout.sizes)) json["sizes"][name] = size;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    const muster_role first = layout.sharing[role];
    if (first == MUSTER_ROLE_NONE) continue;
    const muster_group& group = *layout.groups[role];
    nlohmann::ordered_json& entry = json["roles"][muster_role_name(role)];
    entry = {{"group", group.name},
             {"rank", group.rank},
             {"ranks", group.context.world_ranks},
             {"shares", nullptr}};
    if (first != role) entry["shares"] = muster_role_name(first);
  }
  return json_text(json, 2) + "\n";
}

}  // namespace muster
