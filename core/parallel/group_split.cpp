#include "core/parallel/group_split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/agree/exchange.hpp"
#include "core/agree/runtime.hpp"
#include "core/base/json_text.hpp"
#include "core/dispatch/queue.hpp"
#include "core/parallel/create_groups.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;

struct Told {
  uint32_t colour = MUSTER_NO_COLOUR;
  uint32_t key = 0;
  uint32_t rank = 0;  // in the group
  std::string options;
};

GroupWish options_of(const muster_group& group) {
  GroupWish wish;
  wish.memory = group.memory;
  wish.determinism = group.context.info.determinism;
  wish.checked = (group.attention.load() & kAttentionChecked) != 0;
  wish.name = group.name;
  return wish;
}

Result<std::string> bytes_of(const muster_group& group, const Result<SplitWish>& wish,
                             const GroupWish& options) {
  if (!wish.ok()) return wish.status().copy();
  if ((group.attention.load() & kAttentionBroken) != 0) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("group {} is broken: {}", group.name, group.broken_by),
                  "destroy the group and create it anew among the ranks that live");
  }
  return json_text(Json({wish->colour, wish->key, options.text()}));
}

Result<Told> decode(const std::string& bytes, uint32_t rank) {
  try {
    const Json json = parse_json(bytes);
    return Told{json.at(0).get<uint32_t>(), json.at(1).get<uint32_t>(), rank,
                json.at(2).get<std::string>()};
  } catch (const Json::exception& error) {
    return Status(MUSTER_DATA_LOSS,
                  fmt::format("what rank {} told cannot be read: {}", rank, error.what()),
                  "call muster_group_split on all ranks of the group, at the same place");
  }
}

// Sorted, so that the ranks of one colour lie together in the order of the new group.
Status check_colours(const std::vector<Told>& told) {
  for (size_t i = 1; i < told.size(); ++i) {
    const Told& first = told[i - 1];
    const Told& next = told[i];
    if (next.colour == MUSTER_NO_COLOUR || next.colour != first.colour ||
        next.options == first.options) {
      continue;
    }
    return Status(
        MUSTER_MISMATCH,
        fmt::format("the ranks of colour {} disagree: rank {} asks for '{}', rank {} for '{}'",
                    next.colour, first.rank, first.options, next.rank, next.options),
        "give the same options on every rank of a colour");
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<muster_group>> split_group(muster_group& group, Result<SplitWish> wish) {
  muster_runtime& runtime = *group.runtime;
  const std::vector<uint32_t>& everyone = group.context.world_ranks;
  group.queue->drain();
  GroupWish mine = wish.ok() && wish->options ? std::move(*wish->options) : options_of(group);
  const uint64_t tag = runtime.next_tag(everyone);
  Exchange exchange(*runtime.world, everyone, tag, runtime.setup_deadline());
  Result<std::vector<std::string>> gathered = exchange.gather(bytes_of(group, wish, mine));
  if (!gathered.ok()) return gathered.status().within("group " + group.name);
  std::vector<Told> told;
  for (uint32_t rank = 0; rank < gathered->size(); ++rank) {
    Result<Told> decoded = decode((*gathered)[rank], rank);
    if (!decoded.ok()) return decoded.take_status();
    told.push_back(std::move(*decoded));
  }
  std::sort(told.begin(), told.end(), [](const Told& a, const Told& b) {
    return std::tie(a.colour, a.key, a.rank) < std::tie(b.colour, b.key, b.rank);
  });
  MUSTER_TRY(check_colours(told));

  std::vector<GroupWish> wishes;
  if (wish->colour != MUSTER_NO_COLOUR) {
    for (const Told& rank : told) {
      if (rank.colour == wish->colour) mine.ranks.push_back(everyone[rank.rank]);
    }
    wishes.push_back(std::move(mine));
  }
  auto made = create_groups(runtime, wishes, everyone, tag);
  if (!made.ok()) return made.take_status();
  return wishes.empty() ? nullptr : std::move(made->front());
}

}  // namespace muster
