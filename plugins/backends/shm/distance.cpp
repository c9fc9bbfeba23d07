#include "plugins/backends/shm/distance.hpp"

#include <chrono>
#include <cstddef>

namespace muster::shm {
namespace {

using Clock = std::chrono::steady_clock;

uint64_t nanoseconds(Clock::duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

}  // namespace

uint64_t Distance::look(uint32_t peer, const uint64_t& word, uint64_t seen) {
  const auto start = Clock::now();
  const uint64_t value = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
  const auto stop = Clock::now();
  const uint64_t clock = nanoseconds(Clock::now() - stop);
  const uint64_t took = nanoseconds(stop - start);
  if (value == seen) return value;  // said nothing, so the next look is due
  unlooked_ = 0;
  judge(peer, took > clock ? took - clock : 1);
  return value;
}

void Distance::judge(uint32_t peer, uint64_t nanoseconds) {
  Peer& at = peers_[peer];
  const bool far = nanoseconds >= far_ns_;
  at.against = far == at.far ? 0 : at.against + 1;
  if (at.against < (far ? kFarAfter : kNearAfter)) return;
  at = {far, 0};
  far ? ++far_count_ : --far_count_;
}

}  // namespace muster::shm
