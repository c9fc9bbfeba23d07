#include "core/explain/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"

namespace muster {
namespace {

bool has_failed(const FoundPlugin& plugin) {
  return plugin.state != PluginState::kUsable && plugin.state != PluginState::kUnprobed;
}

}  // namespace

std::string describe_plugins_json(const std::vector<FoundPlugin>& found,
                                  const std::vector<Record>& records, bool failed_only,
                                  const std::vector<KernelsInUse>& kernels) {
  nlohmann::ordered_json json = {{"schema", "muster.list/1"},
                                 {"plugins", nlohmann::ordered_json::array()}};
  for (const FoundPlugin& plugin : found) {
    if (failed_only && !has_failed(plugin)) continue;
    nlohmann::ordered_json entry = {
        {"id", plugin.entry.id},
        {"version", plugin.entry.version},
        {"vendor", plugin.entry.vendor},
        {"abi", fmt::format("{}.{}", plugin.entry.abi_major, plugin.entry.abi_minor)},
        {"build_tag", plugin.entry.build_tag},
        {"interfaces", plugin.entry.interfaces},
        {"state", plugin_state_name(plugin.state)},
        {"path", plugin.path},
        {"facts", plugin.facts}};
    if (!plugin.reason.empty()) {
      entry["stage"] = stage_name(plugin.stage);
      entry["reason"] = plugin.reason;
    }
    if (!plugin.source.empty()) entry["source"] = plugin.source;
    json["plugins"].push_back(std::move(entry));
  }
  json["kernels"] = describe_kernels_json(kernels);
  json["records"] = nlohmann::ordered_json::array();
  for (const Record& record : records) {
    json["records"].push_back({{"stage", stage_name(record.stage)},
                               {"subject", record.subject},
                               {"verdict", record.verdict},
                               {"reason", record.reason},
                               {"source", record.source}});
  }
  return json_text(json, 2) + "\n";
}

bool is_configured_in_vain(const Record& record) {
  return record.stage == Stage::kDiscover && !record.source.empty() &&
         (record.verdict == "missing" || record.verdict == "unreadable");
}

namespace {

struct Row {
  std::string subject;
  std::string stage;
  std::string reason;
  std::string source;
};

std::string failures_text(const std::vector<FoundPlugin>& found,
                          const std::vector<Record>& records) {
  std::vector<Row> rows;
  for (const FoundPlugin& plugin : found) {
    if (has_failed(plugin))
      rows.push_back({plugin.path, stage_name(plugin.stage), plugin.reason, plugin.source});
  }
  const size_t plugins = rows.size();
  for (const Record& record : records) {
    if (is_configured_in_vain(record))
      rows.push_back({record.subject, stage_name(record.stage), record.reason, record.source});
  }
  size_t wide = 4;
  for (const Row& row : rows) wide = std::max(wide, row.subject.size());
  std::string text;
  if (!rows.empty()) text = fmt::format("{:<{}}  {:<9}  reason\n", "file", wide, "stage");
  for (const Row& row : rows) {
    text += fmt::format("{:<{}}  {:<9}  {}{}\n", row.subject, wide, row.stage, row.reason,
                        row.source.empty() ? "" : fmt::format(" (by {})", row.source));
  }
  return text + fmt::format("{} of {} plugins cannot be used\n", plugins, found.size());
}

}  // namespace

std::string describe_plugins_text(const std::vector<FoundPlugin>& found,
                                  const std::vector<Record>& records, bool failed_only) {
  if (failed_only) return failures_text(found, records);
  std::string text;
  size_t wide_id = 2;
  for (const FoundPlugin& plugin : found) wide_id = std::max(wide_id, plugin.entry.id.size());
  size_t usable = 0;
  text += fmt::format("{:<{}}  {:<5}  {:<12}  {:<10}  from\n", "id", wide_id, "abi", "state",
                      "version");
  for (const FoundPlugin& plugin : found) {
    const bool is_usable =
        plugin.state == PluginState::kUsable || plugin.state == PluginState::kUnprobed;
    usable += is_usable ? 1 : 0;
    text += fmt::format("{:<{}}  {:<5}  {:<12}  {:<10}  {}{}\n",
                        plugin.entry.id.empty() ? "-" : plugin.entry.id, wide_id,
                        plugin.entry.id.empty()
                            ? "-"
                            : fmt::format("{}.{}", plugin.entry.abi_major, plugin.entry.abi_minor),
                        plugin_state_name(plugin.state),
                        plugin.entry.version.empty() ? "-" : plugin.entry.version, plugin.path,
                        plugin.reason.empty() ? "" : "  (" + plugin.reason + ")");
  }
  return text +
         fmt::format("{} plugins, {} usable      next: muster inspect ID, muster list --failed\n",
                     found.size(), usable);
}

std::string describe_kernels_text(const std::vector<KernelsInUse>& kernels) {
  std::string text;
  for (const KernelsInUse& used : kernels) {
    text += fmt::format("{:<10}{:<20}  {:<10} {:<10}  {}{}  {} pair{}\n",
                        text.empty() ? "kernels" : "", used.family, used.algorithm,
                        used.architecture, used.pack.empty() ? "built in" : used.pack,
                        used.digest.empty() ? "" : fmt::format(" {}", used.digest), used.pairs,
                        used.pairs == 1 ? "" : "s");
  }
  return text;
}

nlohmann::ordered_json describe_kernels_json(const std::vector<KernelsInUse>& kernels) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const KernelsInUse& used : kernels) {
    json.push_back({{"family", used.family},
                    {"algorithm", used.algorithm},
                    {"architecture", used.architecture},
                    {"digest", used.digest},
                    {"pack", used.pack},
                    {"pairs", used.pairs}});
  }
  return json;
}

}  // namespace muster
