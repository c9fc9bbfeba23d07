#include "plugins/backends/cuda_peer/bands.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "plugins/bands_option/bands_option.hpp"

namespace muster::cuda_peer {
namespace {

struct Line {
  std::string_view architecture;
  muster_op op;
  uint32_t ranks_to;
  Band band;
};
constexpr Line kLines[] = {
#define MUSTER_PEER_BAND(architecture, op, ranks_to, one_shot, two_shot, direct_from, pull_from, \
                         pull_to)                                                                \
  {architecture, op, ranks_to, {one_shot, two_shot, direct_from, pull_from, pull_to}},
#include "plugins/backends/cuda_peer/bands.def"
#undef MUSTER_PEER_BAND
};

constexpr const char* kHow =
    "write OPERATION/RANKS=ONE_SHOT:TWO_SHOT:DIRECT_FROM:PULL_FROM:PULL_TO in bytes, of which the "
    "first "
    "is enough, as all_reduce/8=262144:2097152; several are separated by commas";

bool has_limits(muster_op op) {
  return std::any_of(std::begin(kLines), std::end(kLines),
                     [&](const Line& line) { return line.op == op; });
}

// Of what is not given, two shots are off and the limits of known buffers stay.
void set_limits(Band& band, const std::vector<uint64_t>& limits) {
  band.one_shot = limits[0];
  band.two_shot = limits.size() > 1 ? limits[1] : 0;
  uint64_t* const rest[] = {&band.direct_from, &band.pull_from, &band.pull_to};
  for (size_t i = 2; i < limits.size(); ++i) *rest[i - 2] = limits[i];
}

// What is forced serves every size; pulls serve all that can be pulled, and leave the rest as it
// was.
Band forced_band(const Band& band, const std::string& forced) {
  if (forced == algorithm_name(Algorithm::kOneShotPush)) return {UINT64_MAX, 0, 0, 0, 0};
  if (forced == algorithm_name(Algorithm::kTwoShotPush)) return {0, UINT64_MAX, 0, 0, 0};
  if (forced == algorithm_name(Algorithm::kStaged)) return {};
  if (forced == algorithm_name(Algorithm::kOneShotPull)) {
    return {band.one_shot, band.two_shot, 0, 0, UINT64_MAX};
  }
  plugin::fail(MUSTER_INVALID_ARGUMENT, "option algorithm: '" + forced + "' is not one",
               "write one_shot_push, two_shot_push, staged, one_shot_pull, or nothing");
}

}  // namespace

const char* algorithm_name(Algorithm algorithm) {
  static const char* const names[] = {"one_shot_push", "two_shot_push", "staged", "one_shot_pull"};
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
  bands_option::read<5>(tuned, ranks, kHow, has_limits,
                        [&](muster_op op, const std::vector<uint64_t>& limits) {
                          set_limits(bands.bands_[op], limits);
                        });
  if (!forced.empty()) {
    for (Band& band : bands.bands_) band = forced_band(band, forced);
  }
  for (muster_op op = 0; op < MUSTER_OP_END; ++op) {
    Band& band = bands.bands_[op];
    // Only all_reduce has two shots.
    if (op != MUSTER_ALL_REDUCE) {
      band.one_shot = std::max(band.one_shot, band.two_shot);
      band.two_shot = 0;
    }
    if (!lines) band = {};
  }
  return bands;
}

}  // namespace muster::cuda_peer
