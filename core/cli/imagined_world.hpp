// The ranks of a world that does not exist, as records: from a file, or each like this machine.
#ifndef MUSTER_CORE_CLI_IMAGINED_WORLD_HPP
#define MUSTER_CORE_CLI_IMAGINED_WORLD_HPP

#include <memory>
#include <string>
#include <vector>

#include "core/agree/rank_record.hpp"
#include "core/discover/discovery.hpp"
#include "core/query/plugin.hpp"

namespace muster::cli {

// What description_json wrote, perhaps on another machine. By hand an entry may leave out what is
// empty, and stand for `count` ranks, each a process of its own with the next device.
Result<std::vector<RankRecord>> described_ranks(const std::string& path);
std::string description_json(const std::vector<RankRecord>& world);  // "muster.description/1"

// Probes the plugins. bootstrap "threads" puts all ranks into one process.
std::vector<RankRecord> ranks_like_this(uint32_t count, const std::string& bootstrap,
                                        const std::vector<std::unique_ptr<Plugin>>& plugins,
                                        const std::vector<FoundPlugin>& found);

}  // namespace muster::cli

#endif
