#include "core/agree/group_records.hpp"

#include <algorithm>
#include <string>

namespace muster {
namespace {

// Only what may have changed.
RankRecord fresh_record(const muster_runtime& runtime) {
  RankRecord record;
  for (const auto& plugin : runtime.plugins) {
    if (plugin->variants().table == nullptr || plugin->backend() == nullptr) continue;
    if (plugin->probe().ok()) record.plugins[plugin->id()].facts = plugin->facts();
  }
  return record;
}

}  // namespace

Result<std::vector<RankRecord>> records_of_group(muster_runtime& runtime,
                                                 const std::vector<uint32_t>& ranks,
                                                 Exchange& exchange) {
  std::vector<RankRecord> records;
  for (const uint32_t r : ranks) records.push_back(runtime.ranks[r]);
  const bool may_change = std::any_of(records.begin(), records.end(),
                                      [](const RankRecord& record) { return record.builds; });
  if (!may_change) return records;
  Result<std::vector<std::string>> all = exchange.gather(encode(fresh_record(runtime)));
  if (!all.ok()) return all.take_status();
  for (size_t r = 0; r < all->size(); ++r) {
    Result<RankRecord> fresh = decode_rank_record((*all)[r]);
    if (!fresh.ok()) return fresh.take_status();
    for (const auto& [id, plugin] : fresh->plugins) {
      const auto known = records[r].plugins.find(id);
      if (known != records[r].plugins.end()) known->second.facts = plugin.facts;
    }
  }
  return records;
}

}  // namespace muster
