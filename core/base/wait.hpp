// The one way to wait for a word that another rank writes: spin, then sleep in the word's futex in
// slices of at most 100 ms that look at the abort word, the deadline and the peer.
//
// Words may lie in memory shared by processes. 64-bit values that only grow. No stand-alone fences:
// the thread sanitizer cannot see them.
#ifndef MUSTER_CORE_BASE_WAIT_HPP
#define MUSTER_CORE_BASE_WAIT_HPP

#include <atomic>
#include <cstdint>

#include "core/base/status.hpp"
#include "muster/host.h"

namespace muster {

uint64_t now_ns();  // monotonic

struct WaitLimits {
  uint64_t deadline_ns = 0;                        // on now_ns
  const std::atomic<uint32_t>* aborted = nullptr;  // ends the wait when not zero; may be NULL
  uint64_t spin_ns = 50'000;
  // More ranks than cores: the core is given away from the first look on.
  bool crowded = false;
  bool (*peer_alive)(void* context) = nullptr;  // may be NULL
  void* context = nullptr;
};

enum class WaitEnd { kReached, kAborted, kPeerLost, kDeadline };

WaitEnd wait_for(muster_wait_word* word, uint64_t at_least, const WaitLimits& limits);
// Stores (release) and wakes every sleeper.
void signal_word(muster_wait_word* word, uint64_t value);

}  // namespace muster

#endif
