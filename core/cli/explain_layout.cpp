#include "core/cli/explain_layout.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"

namespace muster::cli {
namespace {

constexpr size_t kShownGroups = 16;
constexpr size_t kShownRanks = 8;

std::string ranks_text(const std::vector<uint32_t>& ranks) {
  const bool contiguous = ranks.back() - ranks.front() + 1 == ranks.size();
  if (contiguous && ranks.size() > 2) return fmt::format("[{}-{}]", ranks.front(), ranks.back());
  if (ranks.size() <= kShownRanks) return fmt::format("[{}]", fmt::join(ranks, ","));
  return fmt::format("[{},{},..{}]", ranks[0], ranks[1], ranks.back());
}

bool shown(muster_role role, muster_role asked) {
  return asked == MUSTER_ROLE_NONE || asked == role;
}

}  // namespace

Result<LayoutSizes> imagine_layout(const std::string& text, uint32_t world) {
  Result<muster_layout_sizes> given = parse_layout(text);
  if (!given.ok()) return given.take_status();
  if (world == 0) {
    if (given->tp == 0) {
      return Status(MUSTER_INVALID_ARGUMENT, "the layout does not say how many ranks there are",
                    "give tp, or --ranks");
    }
    const uint64_t product = uint64_t{given->tp} * std::max(given->pp, 1u);
    if (__builtin_mul_overflow(product, std::max(given->dp, 1u), &world)) {
      return Status(MUSTER_OUT_OF_RANGE, "tp x pp x dp is more than 2^32 ranks");
    }
  }
  return complete_layout(*given, world);
}

std::string layout_overview(const LayoutSizes& sizes, const Sharing& sharing, muster_role asked) {
  std::string sizes_text;
  for (const auto& [name, size] : named_sizes(sizes)) {
    sizes_text += fmt::format("{}{} {}", sizes_text.empty() ? "" : ", ", name, size);
  }
  std::string text = fmt::format("layout     {}\n", sizes_text);
  text += fmt::format("{:<18} {:>6}  {:<18} {}\n", "role", "size", "communicators of", "groups");
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    if (!shown(role, asked)) continue;
    const std::vector<std::vector<uint32_t>> partition = role_partition(sizes, role);
    text += fmt::format("{:<18} {:>6}  {:<18}", muster_role_name(role), partition.front().size(),
                        muster_role_name(sharing[role]));
    for (size_t g = 0; g < partition.size() && g < kShownGroups; ++g) {
      text += " " + ranks_text(partition[g]);
    }
    if (partition.size() > kShownGroups) {
      text += fmt::format(" and {} more", partition.size() - kShownGroups);
    }
    text += '\n';
  }
  return text;
}

std::string layout_overview_json(const LayoutSizes& sizes, const Sharing& sharing,
                                 muster_role asked) {
  nlohmann::ordered_json json = {{"schema", "muster.layout/1"},
                                 {"sizes", nlohmann::ordered_json::object()},
                                 {"roles", nlohmann::ordered_json::object()}};
  for (const auto& [name, size] : named_sizes(sizes)) json["sizes"][name] = size;
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
    if (!shown(role, asked)) continue;
    nlohmann::ordered_json& entry = json["roles"][muster_role_name(role)];
    entry = {{"groups", role_partition(sizes, role)}, {"shares", nullptr}};
    if (sharing[role] != role) entry["shares"] = muster_role_name(sharing[role]);
  }
  return json_text(json, 2) + "\n";
}

}  // namespace muster::cli
