// A deadline on the monotonic clock (nanoseconds, as muster::now_ns gives) in the forms that
// condition variables and poll take.
#ifndef MUSTER_CORE_BOOTSTRAP_DEADLINE_HPP
#define MUSTER_CORE_BOOTSTRAP_DEADLINE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace muster {

// steady_clock is CLOCK_MONOTONIC; a deadline beyond its range means never.
inline std::chrono::steady_clock::time_point deadline_point(uint64_t deadline_ns) {
  constexpr uint64_t kNever = INT64_MAX / 2;
  return std::chrono::steady_clock::time_point(
      std::chrono::nanoseconds(static_cast<int64_t>(std::min(deadline_ns, kNever))));
}

inline bool deadline_passed(uint64_t deadline_ns) {
  return std::chrono::steady_clock::now() >= deadline_point(deadline_ns);
}

// Rounded up, at most at_most_ms, 0 once it has passed.
inline int deadline_poll_ms(uint64_t deadline_ns, int at_most_ms) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_point(deadline_ns) -
                                                           std::chrono::steady_clock::now())
                  .count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, at_most_ms));
}

inline uint64_t deadline_after(std::chrono::nanoseconds span) {
  return static_cast<uint64_t>(
      (std::chrono::steady_clock::now().time_since_epoch() + span).count());
}

}  // namespace muster

#endif
