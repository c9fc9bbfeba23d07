#include "plugins/backends/shm/bands.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "muster/names.h"
#include "muster/plugin.hpp"

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

[[noreturn]] void refuse(std::string_view entry) {
  plugin::fail(MUSTER_INVALID_ARGUMENT,
               "option bands: '" + std::string(entry) + "' is not understood",
               "write OPERATION/RANKS=BYTES, as all_reduce/2=16384, with all_reduce, reduce or "
               "fused_all_reduce_rmsnorm; several are separated by commas");
}

template <typename Number>
Number number_of(std::string_view text, std::string_view entry) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) refuse(entry);
  return number;
}

// One entry of option `bands`.
Line parse(std::string_view entry) {
  const size_t slash = entry.find('/');
  const size_t equals = entry.find('=');
  if (slash == std::string_view::npos || equals == std::string_view::npos || equals < slash) {
    refuse(entry);
  }
  Line line{};
  const std::string_view name = entry.substr(0, slash);
  for (const Line& known : kLines) {
    if (name == muster_op_name(known.op)) line.op = known.op;
  }
  if (line.op == MUSTER_OP_NONE) refuse(entry);
  line.ranks_to = number_of<uint32_t>(entry.substr(slash + 1, equals - slash - 1), entry);
  line.bytes = number_of<uint64_t>(entry.substr(equals + 1), entry);
  return line;
}

}  // namespace

Bands Bands::of(int64_t one_shot_bytes, const std::string& tuned, uint64_t chunk_bytes,
                uint32_t ranks) {
  Bands bands;
  const auto place = [&](muster_op op) -> uint64_t& {
    return op == MUSTER_ALL_REDUCE ? bands.all_reduce
           : op == MUSTER_REDUCE   ? bands.reduce
                                   : bands.fused;
  };
  for (const Line& line : kLines) place(line.op) = from_table(line.op, ranks);
  for (std::string_view rest = tuned; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const Line line = parse(rest.substr(0, comma));
    if (line.ranks_to == ranks) place(line.op) = line.bytes;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
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
