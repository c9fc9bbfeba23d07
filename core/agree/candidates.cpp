#include "core/agree/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/query/devices.hpp"

namespace muster {
namespace {

// Why not every rank can use the backend; "" when all can.
std::string missing_somewhere(const std::string& id,
                              const std::vector<const RankRecord*>& records) {
  const std::string* version = nullptr;
  for (size_t r = 0; r < records.size(); ++r) {
    const auto found = records[r]->plugins.find(id);
    if (found == records[r]->plugins.end()) return fmt::format("rank {} does not have it", r);
    if (!found->second.unusable.empty())
      return fmt::format("rank {}: {}", r, found->second.unusable);
    if (version == nullptr) version = &found->second.version;
    if (*version != found->second.version) {
      return fmt::format("rank 0 has version {}, rank {} has {}", *version, r,
                         found->second.version);
    }
  }
  return {};
}

const Plugin* plugin_of(const std::vector<std::unique_ptr<Plugin>>& plugins,
                        const std::string& id) {
  const auto found =
      std::find_if(plugins.begin(), plugins.end(), [&](const auto& p) { return p->id() == id; });
  return found == plugins.end() ? nullptr : found->get();
}

}  // namespace

uint64_t memory_known_to_all(const std::vector<const RankRecord*>& records) {
  uint64_t kinds = 0;
  for (muster_memory memory = MUSTER_HOST + 1; memory < MUSTER_MEMORY_END; ++memory) {
    const bool known = std::all_of(records.begin(), records.end(), [&](const RankRecord* record) {
      return names_kind(record->memory_kinds, memory);
    });
    if (known) kinds |= MUSTER_BIT(memory);
  }
  return kinds;
}

GroupCandidates find_candidates(const std::vector<std::unique_ptr<Plugin>>& plugins,
                                const Config& config, const GroupDescription& group,
                                const std::vector<const RankRecord*>& records) {
  GroupCandidates result;
  std::set<std::string> ids;
  for (const RankRecord* record : records) {
    for (const auto& [id, plugin] : record->plugins) ids.insert(id);
  }
  for (const std::string& id : ids) {
    const BackendSettings settings = backend_settings(config, id, group.name);
    if (settings.mode && settings.mode->value == Mode::kOff) {
      result.left_out.push_back(
          {id, Stage::kDiscover, "switched off", settings.mode->source.text()});
      continue;
    }
    if (std::string reason = missing_somewhere(id, records); !reason.empty()) {
      result.left_out.push_back({id, Stage::kProbe, reason, ""});
      continue;
    }
    const Plugin* const plugin = plugin_of(plugins, id);
    if (plugin == nullptr) {  // every rank has it, so this one does; a dry run's machine may not
      result.left_out.push_back({id, Stage::kLoad,
                                 "it cannot be opened on this machine, so nobody knows what it "
                                 "would offer (muster list says why)",
                                 ""});
      continue;
    }
    if (plugin->backend() == nullptr) continue;
    GroupCandidate candidate;
    candidate.plugin = plugin;
    candidate.options = plugin->options_for(config, group.name);
    candidate.chain.id = id;
    candidate.chain.priority =
        settings.priority ? settings.priority->value : plugin->backend()->priority;
    candidate.chain.priority_source =
        settings.priority ? settings.priority->source.text() : "plugin";
    std::vector<const FactMap*> facts;
    for (const RankRecord* record : records) facts.push_back(&record->plugins.at(id).facts);
    Result<Offer> offer = ask_offer(*plugin, group, facts, candidate.options);
    if (!offer.ok()) {
      result.left_out.push_back({id, Stage::kQuery, offer.status().cause(), "plugin"});
      continue;
    }
    if (offer->rules.empty()) {
      result.left_out.push_back(
          {id, Stage::kQuery,
           offer->declined.empty() ? std::string("declines everything")
                                   : fmt::format("declines: {}", fmt::join(offer->declined, "; ")),
           "plugin"});
      continue;
    }
    candidate.chain.rules = std::move(offer->rules);
    candidate.chain.declined = std::move(offer->declined);
    result.usable.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace muster
