#include "core/base/wait.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <climits>

namespace muster {
namespace {

constexpr uint64_t kSliceNs = 100'000'000;
// Short enough that a rank without a core of its own hands the core on almost at once.
constexpr int kPausesBeforeYield = 128;
constexpr int kPausesPerYield = 16;

void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

bool reached(const muster_wait_word* word, uint64_t at_least) {
  return __atomic_load_n(&word->value, __ATOMIC_ACQUIRE) >= at_least;
}

uint32_t* futex_of(muster_wait_word* word) {
  return reinterpret_cast<uint32_t*>(&word->value) + (std::endian::native == std::endian::big);
}

void futex_sleep(muster_wait_word* word, uint32_t seen, uint64_t ns) {
  const timespec timeout{static_cast<time_t>(ns / 1'000'000'000),
                         static_cast<long>(ns % 1'000'000'000)};
  syscall(SYS_futex, futex_of(word), FUTEX_WAIT, seen, &timeout, nullptr, 0);
}

bool is_aborted(const WaitLimits& limits) {
  return limits.aborted != nullptr && limits.aborted->load(std::memory_order_acquire) != 0;
}

// Pauses first, then gives the core away between looks: with a core per rank a yield returns at
// once, with fewer it is what lets the awaited rank run.
bool spin(const muster_wait_word* word, uint64_t at_least, const WaitLimits& limits) {
  for (int i = 0; i < (limits.crowded ? 1 : kPausesBeforeYield); ++i) {
    if (reached(word, at_least)) return true;
    pause_core();
  }
  const uint64_t end = std::min(now_ns() + limits.spin_ns, limits.deadline_ns);
  while (now_ns() < end && !is_aborted(limits)) {
    for (int i = 0; i < (limits.crowded ? 1 : kPausesPerYield); ++i) {
      if (reached(word, at_least)) return true;
      pause_core();
    }
    sched_yield();
  }
  return reached(word, at_least);
}

// What ends the wait without the word, if anything does. A peer's last words count: whoever is
// found gone may have written just before.
WaitEnd look_around(const muster_wait_word* word, uint64_t at_least, const WaitLimits& limits,
                    uint64_t now) {
  WaitEnd end = WaitEnd::kReached;
  if (is_aborted(limits)) {
    end = WaitEnd::kAborted;
  } else if (limits.peer_alive != nullptr && !limits.peer_alive(limits.context)) {
    end = WaitEnd::kPeerLost;
  } else if (now >= limits.deadline_ns) {
    end = WaitEnd::kDeadline;
  }
  return reached(word, at_least) ? WaitEnd::kReached : end;
}

}  // namespace

uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Why no wake-up is lost: the sleeper counts itself in and then reads the value, the signaller
// writes the value and then reads the count, all four sequentially consistent, so at least one sees
// the other; and the kernel refuses to sleep once the value's low half is no longer what was read.
WaitEnd wait_for(muster_wait_word* word, uint64_t at_least, const WaitLimits& limits) {
  if (spin(word, at_least, limits)) return WaitEnd::kReached;
  __atomic_fetch_add(&word->waiters, 1, __ATOMIC_SEQ_CST);
  WaitEnd end = WaitEnd::kReached;
  for (;;) {
    const uint64_t value = __atomic_load_n(&word->value, __ATOMIC_SEQ_CST);
    if (value >= at_least) break;
    const uint64_t now = now_ns();
    end = look_around(word, at_least, limits, now);
    if (end != WaitEnd::kReached) break;
    if (reached(word, at_least)) break;
    futex_sleep(word, static_cast<uint32_t>(value), std::min(kSliceNs, limits.deadline_ns - now));
  }
  __atomic_fetch_sub(&word->waiters, 1, __ATOMIC_SEQ_CST);
  return end;
}

void signal_word(muster_wait_word* word, uint64_t value) {
  __atomic_store_n(&word->value, value, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&word->waiters, __ATOMIC_SEQ_CST) != 0) {
    syscall(SYS_futex, futex_of(word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
}

}  // namespace muster
