#include "core/parallel/wish.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/json_text.hpp"
#include "core/base/names.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;
using TextsByRank = std::map<uint32_t, std::vector<std::string>>;

std::string times(size_t count) { return count == 1 ? "once" : fmt::format("{} times", count); }

// What one list's members ask for.
Status check_list(const std::vector<uint32_t>& ranks, TextsByRank& asked) {
  const std::string group = fmt::format("group [{}]", fmt::join(ranks, ", "));
  const auto most = std::max_element(asked.begin(), asked.end(), [](const auto& a, const auto& b) {
    return a.second.size() < b.second.size();
  });
  const auto& [first, texts] = *most;
  std::string missing;
  for (const uint32_t rank : ranks) {
    const size_t count = asked.count(rank) == 0 ? 0 : asked[rank].size();
    if (count == texts.size()) continue;
    missing += fmt::format("{}rank {}", missing.empty() ? "" : ", ", rank);
    if (count != 0) missing += fmt::format(" (which asks for it {})", times(count));
  }
  if (!missing.empty()) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("{} is asked for {} by rank {}, but not by {}", group,
                              times(texts.size()), first, missing),
                  "every member asks for the group, with the same ranks in the same order");
  }
  for (auto& [rank, mine] : asked) {
    std::sort(mine.begin(), mine.end());
    for (size_t i = 0; i < mine.size(); ++i) {
      if (mine[i] == asked.begin()->second[i]) continue;
      return Status(
          MUSTER_MISMATCH,
          fmt::format("the ranks disagree about {}: rank {} asks for '{}', rank {} for "
                      "'{}'",
                      group, asked.begin()->first, asked.begin()->second[i], rank, mine[i]),
          "give the same options on every member");
    }
  }
  return Status();
}

}  // namespace

muster_group_options GroupWish::options() const {
  muster_group_options options{};
  options.struct_size = MUSTER_GROUP_OPTIONS_SIZE;
  options.memory = memory;
  options.determinism = determinism;
  options.checked = checked ? 1 : 0;
  options.name = name.c_str();
  return options;
}

std::string GroupWish::text() const {
  return fmt::format("name {} memory {} determinism {} checked {}", name, memory_name(memory),
                     determinism_name(determinism), checked ? 1 : 0);
}

std::string encode(std::span<const GroupWish> wishes) {
  Json json = Json::array();
  for (const GroupWish& wish : wishes) json.push_back({wish.ranks, wish.text()});
  return json_text(json);
}

Result<std::vector<TextWish>> decode_wishes(const std::string& bytes) {
  try {
    std::vector<TextWish> wishes;
    for (const Json& json : parse_json(bytes)) {
      TextWish& wish = wishes.emplace_back();
      json.at(0).get_to(wish.ranks);
      json.at(1).get_to(wish.options);
    }
    return wishes;
  } catch (const Json::exception& error) {
    return Status(MUSTER_DATA_LOSS, fmt::format("a rank's wishes cannot be read: {}", error.what()),
                  "call muster_groups_create on all ranks, at the same place");
  }
}

Status check_wishes(std::span<const std::vector<TextWish>> wishes) {
  std::map<std::vector<uint32_t>, TextsByRank> lists;
  for (uint32_t rank = 0; rank < wishes.size(); ++rank) {
    for (const TextWish& wish : wishes[rank]) lists[wish.ranks][rank].push_back(wish.options);
  }
  for (auto& [ranks, asked] : lists) MUSTER_TRY(check_list(ranks, asked));
  return Status();
}

std::vector<size_t> creation_order(std::span<const GroupWish> wishes) {
  std::vector<TextWish> keys;
  for (const GroupWish& wish : wishes) keys.push_back({wish.ranks, wish.text()});
  std::vector<size_t> order(wishes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  return order;
}

}  // namespace muster
