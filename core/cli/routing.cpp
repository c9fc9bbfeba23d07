#include "core/cli/routing.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

namespace muster::cli {
namespace {

constexpr double kSigma = 0.5;

// As splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // In (0, 1).
  double uniform() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
  }
  double normal() {
    return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }
  double gumbel() { return -std::log(-std::log(uniform())); }

 private:
  uint64_t state_;
};

}  // namespace

std::vector<uint64_t> route_tokens(uint64_t tokens, uint64_t experts, uint64_t choices,
                                   uint32_t ranks, uint64_t seed) {
  Random random(seed);
  std::vector<double> popularity(experts);
  for (double& logarithm : popularity) logarithm = kSigma * random.normal();
  std::vector<uint64_t> copies(uint64_t{ranks} * ranks);
  std::vector<double> score(experts);
  std::vector<uint64_t> order(experts);
  const uint64_t per_rank = (experts + ranks - 1) / ranks;
  for (uint32_t from = 0; from < ranks; ++from) {
    for (uint64_t token = 0; token < tokens; ++token) {
      for (uint64_t e = 0; e < experts; ++e) score[e] = popularity[e] + random.gumbel();
      std::iota(order.begin(), order.end(), 0);
      const auto last = order.begin() + static_cast<ptrdiff_t>(choices);
      std::nth_element(order.begin(), last, order.end(),
                       [&](uint64_t a, uint64_t b) { return score[a] > score[b]; });
      for (auto chosen = order.begin(); chosen != last; ++chosen) {
        ++copies[uint64_t{from} * ranks + *chosen / per_rank];
      }
    }
  }
  return copies;
}

}  // namespace muster::cli
