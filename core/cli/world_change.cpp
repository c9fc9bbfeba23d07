#include "core/cli/world_change.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace muster::cli {
namespace {

constexpr const char* kForm =
    "write NAME=VALUE, 'rank 5: NAME=VALUE' or 'ranks 4-7: NAME=VALUE'; NAME is node, process, "
    "device, memory_kinds, PLUGIN.unusable, PLUGIN.version, PLUGIN.FACT or PLUGIN.FACT[LETTER], "
    "or of the question: phase, determinism, bytes, dtype, redop, memory, operation";

Status malformed(const std::string& text, const std::string& what) {
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("change '{}': {}", text, what), kForm);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <typename Number>
bool read_number(std::string_view text, Number* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

// "rank 5", "ranks 4-7"; false: neither.
bool read_ranks(std::string_view text, Change& change) {
  const bool several = text.starts_with("ranks ");
  if (!several && !text.starts_with("rank ")) return false;
  text = trimmed(text.substr(several ? 6 : 5));
  const size_t dash = text.find('-');
  const bool read = dash == std::string_view::npos
                        ? read_number(text, &change.first) && read_number(text, &change.last)
                        : read_number(text.substr(0, dash), &change.first) &&
                              read_number(text.substr(dash + 1), &change.last);
  return read && change.first <= change.last;
}

std::string ids_of(const RankRecord& record) {
  std::string ids;
  for (const auto& [id, plugin] : record.plugins) ids += (ids.empty() ? "" : ", ") + id;
  return ids;
}

Status change_fact(const Change& change, uint32_t rank, const std::string& fact, FactMap& facts) {
  if (!change.letter) {
    if (change.value.empty()) {
      facts.erase(fact);
    } else {
      facts[fact] = change.value;
    }
    return Status();
  }
  const auto found = facts.find(fact);
  if (found == facts.end() || *change.letter >= found->second.size() || change.value.size() != 1) {
    return malformed(change.text,
                     fmt::format("rank {} has '{}' there, of which letter {} is to be one other",
                                 rank, found == facts.end() ? "" : found->second, *change.letter));
  }
  found->second[*change.letter] = change.value.front();
  return Status();
}

Status change_plugin(const Change& change, uint32_t rank, RankRecord& record) {
  const size_t dot = change.name.find('.');
  if (dot == std::string::npos) return malformed(change.text, "there is no such name");
  const std::string id = change.name.substr(0, dot);
  const std::string what = change.name.substr(dot + 1);
  const auto plugin = record.plugins.find(id);
  if (plugin == record.plugins.end()) {
    return malformed(change.text,
                     fmt::format("rank {} has backends {}, not {}", rank, ids_of(record), id));
  }
  if (what == "unusable") {
    plugin->second.unusable = change.value;
  } else if (what == "version") {
    plugin->second.version = change.value;
  } else {
    return change_fact(change, rank, what, plugin->second.facts);
  }
  return Status();
}

}  // namespace

Result<Change> parse_change(const std::string& text) {
  Change change;
  change.text = text;
  std::string_view rest = text;
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return malformed(text, "it has no =");
  if (const size_t colon = rest.find(':'); colon < equals) {
    if (!read_ranks(trimmed(rest.substr(0, colon)), change))
      return malformed(text, "what is before the colon names no ranks");
    change.of_ranks = true;
    rest.remove_prefix(colon + 1);
  }
  const size_t end = rest.find('=');
  std::string_view name = trimmed(rest.substr(0, end));
  change.value = trimmed(rest.substr(end + 1));
  if (name.ends_with(']')) {
    const size_t open = name.find('[');
    size_t letter = 0;
    if (open == std::string_view::npos ||
        !read_number(name.substr(open + 1, name.size() - open - 2), &letter)) {
      return malformed(text, "what is in brackets is no number");
    }
    change.letter = letter;
    name = name.substr(0, open);
  }
  if (name.empty()) return malformed(text, "it has no name");
  change.name = name;
  return change;
}

Status apply_change(const Change& change, std::vector<RankRecord>& world) {
  if (change.of_ranks && change.last >= world.size()) {
    return malformed(change.text, fmt::format("the world has ranks 0 to {}", world.size() - 1));
  }
  const size_t end = std::min<size_t>(world.size(), size_t{change.last} + 1);
  for (size_t rank = change.first; rank < end; ++rank) {
    RankRecord& record = world[rank];
    if (change.name == "node") {
      record.node = change.value;
    } else if (change.name == "process") {
      record.process = change.value;
    } else if (change.name == "memory_kinds") {
      record.memory_kinds = change.value;
    } else if (change.name == "device") {
      if (!read_number(std::string_view(change.value), &record.device))
        return malformed(change.text, "a device is a number, -1: none");
    } else {
      MUSTER_TRY(change_plugin(change, static_cast<uint32_t>(rank), record));
    }
  }
  return Status();
}

}  // namespace muster::cli
