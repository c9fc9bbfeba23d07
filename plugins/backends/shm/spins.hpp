// How long to look again before sleeping: as long as it is worth it.
//
// Ranks that come within the time of a few messages are awaited by looking; where looking was in
// vain, as with ranks that compute for unequal times, it is cut to half and the core is free
// earlier. One look that succeeds after a wait brings it back. Rationale for no less than half: two
// ranks that look for less time than it takes to wake each other would sleep at every message.
// Thread rule: [group-serial].
#ifndef MUSTER_PLUGINS_SHM_SPINS_HPP
#define MUSTER_PLUGINS_SHM_SPINS_HPP

#include <algorithm>
#include <cstdint>

namespace muster::shm {

// Leaves the pipeline to the neighbour of this core.
inline void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

class Spins {
 public:
  // most 0: never look again, there are more ranks than cores.
  explicit Spins(uint32_t most = 0) : most_(most), now_(most) {}

  // Pauses and looks, until the look says true or it is enough.
  template <typename Look>
  bool until(const Look& look) {
    for (uint32_t i = 0; i < now_; ++i) {
      pause_core();
      if (look()) {
        now_ = std::min(most_, 2 * now_);
        return true;
      }
    }
    now_ = std::max(most_ / 2, now_ / 2);
    return false;
  }

 private:
  uint32_t most_;
  uint32_t now_;
};

}  // namespace muster::shm

#endif
