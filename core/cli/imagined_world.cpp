#include "core/cli/imagined_world.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "core/base/json_text.hpp"
#include "core/explain/describe.hpp"
#include "core/query/devices.hpp"

namespace muster::cli {
namespace {

using Json = nlohmann::json;
constexpr int64_t kMostRanks = 65536;

Status not_described(const std::string& path, const std::string& what) {
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{} does not describe ranks: {}", path, what),
                "write what muster explain --print-description prints; config/machines/README.md "
                "says what may be left out");
}

// `given` over what may be left out; "" or which key is wrong.
std::string fill_in(Json& given, const Json& otherwise) {
  for (const auto& [key, value] : given.items()) {
    if (!otherwise.contains(key)) return fmt::format("there is no key '{}'", key);
    const std::string_view wanted = otherwise[key].type_name();
    if (value.type_name() != wanted)
      return fmt::format("'{}' is a {}, not a {}", key, value.type_name(), wanted);
  }
  Json whole = otherwise;
  whole.update(given);
  given = std::move(whole);
  return {};
}

// Makes a record of an entry that leaves something out; "" or what is wrong with it.
std::string complete(Json& rank) {
  if (!rank.is_object()) return "it is no object";
  RankRecord nothing;
  nothing.version = MUSTER_VERSION;
  nothing.node = "this-node";
  nothing.process = "0";
  nothing.device = -1;
  Json whole = parse_json(encode(nothing));
  whole["count"] = 1;
  std::string wrong = fill_in(rank, whole);
  if (!wrong.empty()) return wrong;
  for (auto& [id, plugin] : rank["plugins"].items()) {
    if (!plugin.is_object()) return fmt::format("plugin {} is no object", id);
    wrong = fill_in(plugin, {{"version", ""}, {"unusable", ""}, {"facts", Json::object()}});
    if (!wrong.empty()) return fmt::format("plugin {}: {}", id, wrong);
  }
  const Json& count = rank["count"];
  if (!count.is_number_integer() || count < 1 || count > kMostRanks)
    return fmt::format("a count is 1 to {}", kMostRanks);
  return {};
}

// What the library says, without the number that it gives to the kind of error.
std::string text_of(const Json::exception& error) {
  const std::string text = error.what();
  const size_t end = text.find("] ");
  return end == std::string::npos ? text : text.substr(end + 2);
}

}  // namespace

Result<std::vector<RankRecord>> described_ranks(const std::string& path) {
  std::vector<RankRecord> records;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return not_described(path, "it cannot be read");
  Json json;
  try {
    json = parse_json(text.str());
  } catch (const Json::exception& error) {
    return not_described(path, text_of(error));
  }
  if (!json.is_object() || !json.contains("ranks") || !json["ranks"].is_array() ||
      json["ranks"].empty()) {
    return not_described(path, "it is no JSON object with a list of ranks");
  }
  size_t entry = 0;
  for (Json& rank : json["ranks"]) {
    ++entry;
    const std::string wrong = complete(rank);
    if (!wrong.empty())
      return not_described(path, fmt::format("entry {} of ranks: {}", entry, wrong));
    const auto count = rank["count"].get<int64_t>();
    Result<RankRecord> record = decode_rank_record(json_text(rank));
    if (!record.ok()) {
      return not_described(path,
                           fmt::format("entry {} of ranks: {}", entry, record.status().cause()));
    }
    if (records.size() + static_cast<size_t>(count) > kMostRanks)
      return not_described(path, fmt::format("it has more than {} ranks", kMostRanks));
    for (int64_t i = 0; i < count; ++i) {
      records.push_back(*record);
      if (count == 1) continue;
      records.back().process += fmt::format(".{}", i);
      if (record->device >= 0) records.back().device += static_cast<int32_t>(i);
    }
  }
  return records;
}

std::string description_json(const std::vector<RankRecord>& world) {
  nlohmann::ordered_json json = {{"schema", "muster.description/1"},
                                 {"ranks", nlohmann::ordered_json::array()}};
  for (const RankRecord& record : world) {
    json["ranks"].push_back(parse_ordered_json(encode(record)));
  }
  return json_text(json, 2);
}

std::vector<RankRecord> ranks_like_this(uint32_t count, const std::string& bootstrap,
                                        const std::vector<std::unique_ptr<Plugin>>& plugins,
                                        const std::vector<FoundPlugin>& found) {
  std::vector<RankRecord> records;
  RankRecord like_this;
  like_this.version = MUSTER_VERSION;
  like_this.node = "this-node";
  for (const auto& plugin : plugins) {
    if (plugin->backend() == nullptr) continue;
    PluginRecord& entry = like_this.plugins[plugin->id()];
    entry.version = plugin->version();
    if (Status status = plugin->probe(); !status.ok()) {
      entry.unusable = status.cause();
    } else {
      entry.facts = plugin->facts();
    }
  }
  like_this.memory_kinds = kinds_of_memory(plugins);
  for (const FoundPlugin& plugin : found) {
    if (plugin.entry.id.empty() || like_this.plugins.count(plugin.entry.id) != 0 ||
        plugin.state == PluginState::kUsable) {
      continue;
    }
    like_this.plugins[plugin.entry.id].unusable = fmt::format(
        "{} at {}: {}", plugin_state_name(plugin.state), stage_name(plugin.stage), plugin.reason);
  }
  for (uint32_t r = 0; r < count; ++r) {
    records.push_back(like_this);
    records.back().process = bootstrap == "threads" ? "one" : std::to_string(r);
  }
  return records;
}

}  // namespace muster::cli
