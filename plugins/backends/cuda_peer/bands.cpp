#include "plugins/backends/cuda_peer/bands.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include "muster/names.h"
#include "muster/plugin.hpp"

namespace muster::cuda_peer {
namespace {

struct Line {
  std::string_view architecture;
  muster_op op;
  uint32_t ranks_to;
  Band band;
};
constexpr Line kLines[] = {
#define MUSTER_PEER_BAND(architecture, op, ranks_to, one_shot, two_shot) \
  {architecture, op, ranks_to, {one_shot, two_shot}},
#include "plugins/backends/cuda_peer/bands.def"
#undef MUSTER_PEER_BAND
};

[[noreturn]] void refuse(std::string_view entry) {
  plugin::fail(MUSTER_INVALID_ARGUMENT,
               "option bands: '" + std::string(entry) + "' is not understood",
               "write OPERATION/RANKS=ONE_SHOT or OPERATION/RANKS=ONE_SHOT:TWO_SHOT in bytes, as "
               "all_reduce/8=262144:2097152; several are separated by commas");
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
  const std::string_view sizes = entry.substr(equals + 1);
  const size_t colon = std::min(sizes.find(':'), sizes.size());
  line.band.one_shot = number_of<uint64_t>(sizes.substr(0, colon), entry);
  if (colon < sizes.size()) {
    line.band.two_shot = number_of<uint64_t>(sizes.substr(colon + 1), entry);
  }
  return line;
}

Band forced_band(const std::string& forced) {
  if (forced == algorithm_name(Algorithm::kOneShotPush)) return {UINT64_MAX, 0};
  if (forced == algorithm_name(Algorithm::kTwoShotPush)) return {0, UINT64_MAX};
  if (forced == algorithm_name(Algorithm::kStaged)) return {0, 0};
  plugin::fail(MUSTER_INVALID_ARGUMENT, "option algorithm: '" + forced + "' is not one",
               "write one_shot_push, two_shot_push, staged, or nothing");
}

}  // namespace

const char* algorithm_name(Algorithm algorithm) {
  static const char* const names[] = {"one_shot_push", "two_shot_push", "staged"};
  return names[static_cast<unsigned>(algorithm)];
}

Bands Bands::of(const std::string& architecture, uint32_t ranks, const std::string& tuned,
                const std::string& forced, bool lines) {
  Bands bands;
  std::array<bool, MUSTER_OP_END> found{};
  for (const Line& line : kLines) {
    const bool applies = line.architecture.empty() || line.architecture == architecture;
    if (!applies || ranks > line.ranks_to || found[line.op]) continue;
    bands.bands_[line.op] = line.band;
    found[line.op] = true;
  }
  for (std::string_view rest = tuned; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const Line line = parse(rest.substr(0, comma));
    if (line.ranks_to == ranks) bands.bands_[line.op] = line.band;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!forced.empty()) bands.bands_.fill(forced_band(forced));
  for (muster_op op = 0; op < MUSTER_OP_END; ++op) {
    Band& band = bands.bands_[op];
    // Only all_reduce has two shots.
    if (op != MUSTER_ALL_REDUCE) band = {std::max(band.one_shot, band.two_shot), 0};
    if (!lines) band = {};
  }
  return bands;
}

}  // namespace muster::cuda_peer
