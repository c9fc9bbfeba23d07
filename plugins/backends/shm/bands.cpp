#include "plugins/backends/shm/bands.hpp"

#include <algorithm>
#include <iterator>

#include "plugins/bands_option/bands_option.hpp"

namespace muster::shm {
namespace {

struct Line {
  muster_op op;
  uint32_t ranks_to;
  uint64_t bytes;
};
constexpr Line kLines[] = {
#define MUSTER_ONE_SHOT(op, ranks_to, bytes) {op, ranks_to, bytes},
#include "plugins/backends/shm/bands.def"
#undef MUSTER_ONE_SHOT
};

uint64_t from_table(muster_op op, uint32_t ranks) {
  const auto* const found =
      std::find_if(std::begin(kLines), std::end(kLines),
                   [&](const Line& line) { return line.op == op && ranks <= line.ranks_to; });
  return found == std::end(kLines) ? 0 : found->bytes;
}

constexpr const char* kHow =
    "write OPERATION/RANKS=BYTES, as all_reduce/2=16384, with all_reduce, reduce or "
    "fused_all_reduce_rmsnorm; several are separated by commas";

bool has_limits(muster_op op) {
  return std::any_of(std::begin(kLines), std::end(kLines),
                     [&](const Line& line) { return line.op == op; });
}

}  // namespace

Bands Bands::of(int64_t one_shot_bytes, const std::string& tuned, uint64_t chunk_bytes,
                uint32_t ranks, uint64_t pair_bytes) {
  Bands bands;
  const auto place = [&](muster_op op) -> uint64_t& {
    return op == MUSTER_ALL_REDUCE ? bands.all_reduce
           : op == MUSTER_REDUCE   ? bands.reduce
                                   : bands.fused;
  };
  for (const Line& line : kLines) place(line.op) = from_table(line.op, ranks);
  if (ranks <= 2 && pair_bytes != 0) bands.all_reduce = pair_bytes;
  bands_option::read<1>(
      tuned, ranks, kHow, has_limits,
      [&](muster_op op, const std::vector<uint64_t>& bytes) { place(op) = bytes.front(); });
  if (one_shot_bytes >= 0) {
    const auto limit = static_cast<uint64_t>(one_shot_bytes);
    bands = {limit, limit, std::min(limit, chunk_bytes) / 4};
  }
  for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_FUSED_ALL_REDUCE_RMSNORM}) {
    place(op) = std::min(place(op), chunk_bytes);
  }
  return bands;
}

}  // namespace muster::shm
