// Single changes of a described world: "rank 5: nccl.nccl.version=2.18.5".
//
// Pure values; one thread.
#ifndef MUSTER_CORE_CLI_WORLD_CHANGE_HPP
#define MUSTER_CORE_CLI_WORLD_CHANGE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/agree/rank_record.hpp"
#include "core/base/status.hpp"

namespace muster::cli {

// [rank N: | ranks N-M: ] NAME=VALUE, of all ranks where none is named. NAME is
//   node, process, device, memory_kinds   of the rank
//   PLUGIN.unusable, PLUGIN.version       why the rank cannot use a backend ("": it can)
//   PLUGIN.FACT                           what its probe found; nothing after = takes it away
//   PLUGIN.FACT[I]                        the I-th letter of it, from 0 on
struct Change {
  std::string text;  // as it was given
  bool of_ranks = false;
  uint32_t first = 0;
  uint32_t last = UINT32_MAX;
  std::string name;
  std::optional<size_t> letter;
  std::string value;
};

Result<Change> parse_change(const std::string& text);
// An error names the rank and what it has instead.
Status apply_change(const Change& change, std::vector<RankRecord>& world);

}  // namespace muster::cli

#endif
