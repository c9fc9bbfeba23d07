#include "core/agree/rank_record.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;

template <typename Key>
uint32_t index_of(std::vector<Key>& seen, const Key& key) {
  const auto found = std::find(seen.begin(), seen.end(), key);
  if (found != seen.end()) return static_cast<uint32_t>(found - seen.begin());
  seen.push_back(key);
  return static_cast<uint32_t>(seen.size() - 1);
}

}  // namespace

std::string encode(const RankRecord& record) {
  Json plugins = Json::object();
  for (const auto& [id, plugin] : record.plugins) {
    plugins[id] = {
        {"version", plugin.version}, {"unusable", plugin.unusable}, {"facts", plugin.facts}};
  }
  const Json json = {{"version", record.version},
                     {"node", record.node},
                     {"process", record.process},
                     {"device", record.device},
                     {"channel", record.channel},
                     {"policy_digest", record.policy_digest},
                     {"policy_sources", record.policy_sources},
                     {"failure", record.failure},
                     {"memory_kinds", record.memory_kinds},
                     {"plugins", plugins},
                     {"kernels", record.kernels},
                     {"builds", record.builds}};
  return json_text(json);
}

Result<RankRecord> decode_rank_record(const std::string& bytes) {
  try {
    const Json json = parse_json(bytes);
    RankRecord record;
    json.at("version").get_to(record.version);
    json.at("node").get_to(record.node);
    json.at("process").get_to(record.process);
    json.at("device").get_to(record.device);
    json.at("channel").get_to(record.channel);
    json.at("policy_digest").get_to(record.policy_digest);
    json.at("policy_sources").get_to(record.policy_sources);
    json.at("failure").get_to(record.failure);
    json.at("memory_kinds").get_to(record.memory_kinds);
    for (const auto& [id, plugin] : json.at("plugins").items()) {
      PluginRecord& entry = record.plugins[id];
      plugin.at("version").get_to(entry.version);
      plugin.at("unusable").get_to(entry.unusable);
      plugin.at("facts").get_to(entry.facts);
    }
    record.kernels = json.value("kernels", ReadyPacks());
    record.builds = json.value("builds", false);
    return record;
  } catch (const Json::exception& error) {
    return Status(MUSTER_DATA_LOSS, fmt::format("a rank's record cannot be read: {}", error.what()),
                  "look whether all ranks run the same version of muster");
  }
}

std::string this_node() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  // Containers of one machine share the boot id; they can share memory only within one network
  // namespace (abstract sockets).
  char name[64] = {};
  const ssize_t length = readlink("/proc/self/ns/net", name, sizeof(name) - 1);
  return boot + "/" + (length > 0 ? name : "");
}

std::string this_process() {
  static const uint64_t nonce = [] {
    uint64_t random = 0;
    return getrandom(&random, sizeof(random), 0) == sizeof(random) ? random : 0;
  }();
  // Asked for each time: a forked child is another process, and has the nonce of its parent.
  return fmt::format("{}-{:016x}", getpid(), nonce);
}

Status check_world(const std::vector<RankRecord>& records) {
  for (size_t r = 0; r < records.size(); ++r) {
    if (!records[r].failure.empty()) {
      return Status(MUSTER_ABORTED,
                    fmt::format("rank {} could not start: {}", r, records[r].failure),
                    "mend that rank; the others stopped with it");
    }
  }
  for (size_t r = 1; r < records.size(); ++r) {
    if (records[r].version != records[0].version) {
      return Status(MUSTER_MISMATCH,
                    fmt::format("rank 0 runs muster {}, rank {} runs {}", records[0].version, r,
                                records[r].version),
                    "install one version on all machines");
    }
    if (records[r].policy_digest != records[0].policy_digest) {
      return Status(
          MUSTER_MISMATCH,
          fmt::format("rank 0 and rank {} have different policies: rank 0 from {}; rank {} from {}",
                      r, records[0].policy_sources, r, records[r].policy_sources),
          "give every rank the same configuration (muster config show prints the effective one)");
    }
  }
  return Status();
}

std::vector<muster_rank_place> places_of(const std::vector<RankRecord>& records) {
  std::vector<std::string> nodes;
  std::vector<std::string> processes;
  std::vector<muster_rank_place> places;
  for (size_t r = 0; r < records.size(); ++r) {
    muster_rank_place place{};
    place.world_rank = static_cast<uint32_t>(r);
    place.node = index_of(nodes, records[r].node);
    place.process = index_of(processes, records[r].node + "|" + records[r].process);
    place.device = records[r].device;
    places.push_back(place);
  }
  return places;
}

}  // namespace muster
