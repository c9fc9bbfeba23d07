#include "core/cli/imagined_world.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

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

// `given` over what may be left out; "" or the key that is unknown.
std::string fill_in(Json& given, const Json& otherwise) {
  for (const auto& [key, value] : given.items()) {
    if (!otherwise.contains(key)) return key;
  }
  Json whole = otherwise;
  whole.update(given);
  given = std::move(whole);
  return {};
}

// Makes a record of an entry that leaves something out.
Status complete(const std::string& path, Json& rank) {
  if (!rank.is_object()) return not_described(path, "a rank is no object");
  RankRecord nothing;
  nothing.version = MUSTER_VERSION;
  nothing.node = "this-node";
  nothing.process = "0";
  nothing.device = -1;
  Json whole = parse_json(encode(nothing));
  whole["count"] = 1;
  std::string unknown = fill_in(rank, whole);
  if (!unknown.empty()) return not_described(path, fmt::format("there is no key '{}'", unknown));
  if (!rank["plugins"].is_object()) return not_described(path, "plugins is no object");
  for (auto& [id, plugin] : rank["plugins"].items()) {
    if (!plugin.is_object()) return not_described(path, fmt::format("plugin {} is no object", id));
    unknown = fill_in(plugin, {{"version", ""}, {"unusable", ""}, {"facts", Json::object()}});
    if (!unknown.empty())
      return not_described(path, fmt::format("plugin {} has no key '{}'", id, unknown));
  }
  const Json& count = rank["count"];
  if (!count.is_number_integer() || count < 1 || count > kMostRanks)
    return not_described(path, fmt::format("a count is 1 to {}", kMostRanks));
  return Status();
}

}  // namespace

Result<std::vector<RankRecord>> described_ranks(const std::string& path) {
  std::vector<RankRecord> records;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  Json json = parse_json_or_discard(text.str());
  if (!file) return not_described(path, "it cannot be read");
  if (!json.is_object() || !json.contains("ranks") || !json["ranks"].is_array() ||
      json["ranks"].empty()) {
    return not_described(path, "it is no JSON object with a list of ranks");
  }
  for (Json& rank : json["ranks"]) {
    MUSTER_TRY(complete(path, rank));
    const auto count = rank["count"].get<int64_t>();
    Result<RankRecord> record = decode_rank_record(json_text(rank));
    if (!record.ok()) return record.take_status().within(path);
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
