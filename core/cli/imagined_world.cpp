#include "core/cli/imagined_world.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/explain/describe.hpp"

namespace muster::cli {

Result<std::vector<RankRecord>> described_ranks(const std::string& path) {
  std::vector<RankRecord> records;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const nlohmann::json json = nlohmann::json::parse(text.str(), nullptr, false);
  if (!file || !json.is_object() || !json.contains("ranks") || !json["ranks"].is_array()) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{} does not describe ranks", path),
                  "write what muster explain --print-description prints");
  }
  for (const nlohmann::json& rank : json["ranks"]) {
    Result<RankRecord> record = decode_rank_record(rank.dump());
    if (!record.ok()) return record.take_status().within(path);
    records.push_back(std::move(*record));
  }
  return records;
}

std::string description_json(const std::vector<RankRecord>& world) {
  nlohmann::ordered_json json = {{"schema", "muster.description/1"},
                                 {"ranks", nlohmann::ordered_json::array()}};
  for (const RankRecord& record : world) {
    json["ranks"].push_back(nlohmann::ordered_json::parse(encode(record)));
  }
  return json.dump(2);
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
