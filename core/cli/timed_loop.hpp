// The one measured loop: of muster's own backends and of every peer, so that their figures may be
// compared.
//
// Synchronised: all ranks meet, each reads the clock right away, makes the call and reads it again;
// the time of an iteration is that of the slowest rank, from its own start. Back to back: they meet
// once per sample, then make many calls; a sample is the slowest rank's average. The cost of
// reading the clock is taken off.
//
// Now and then between the calls, an exchange of nothing is timed as a call would be: the floor,
// what the cores need to notice each other while this is measured. A virtual machine's cores move
// from second to second.
//
// Nothing is linked. `Ranks` is a Meeting, or anything else with meet() and largest().
#ifndef MUSTER_CORE_CLI_TIMED_LOOP_HPP
#define MUSTER_CORE_CLI_TIMED_LOOP_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace muster::cli {

struct LoopOptions {
  uint32_t iterations = 0;  // 0: as many as fit in `seconds`, within kFewest and kMost
  uint32_t warmup = 0;      // 0: a tenth of that
  double seconds = 0.3;
  bool back_to_back = false;

  static constexpr uint32_t kFewest = 20;
  static constexpr uint32_t kMost = 30000;
  static constexpr uint32_t kFewestWarm = 5;
};

struct LoopTimes {
  std::vector<double> us;  // of each iteration; back to back: of each sample
  double floor = 0;        // the median of the exchanges of nothing meanwhile, microseconds
};

using LoopClock = std::chrono::steady_clock;

inline double loop_microseconds(LoopClock::time_point from, LoopClock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

// Middle of the values, which it reorders.
inline double median_of(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What two readings in a row measure.
inline double clock_cost_us() {
  std::vector<double> costs(2001);
  for (double& cost : costs) {
    const auto start = LoopClock::now();
    cost = loop_microseconds(start, LoopClock::now());
  }
  return median_of(costs);
}

// As many iterations as fit, told from the warm-up's median: the same on all ranks.
inline uint32_t iterations_that_fit(double each_us, double seconds) {
  const double fit = seconds * 1e6 / std::max(each_us, 0.05);
  return static_cast<uint32_t>(
      std::clamp(fit, double{LoopOptions::kFewest}, double{LoopOptions::kMost}));
}

// Times of an exchange of nothing; one between every kEvery calls or samples.
template <class Ranks>
class FloorTimes {
 public:
  FloorTimes(Ranks& ranks, double clock_us) : ranks_(ranks), clock_us_(clock_us) {}
  // Before every call. False: a meeting failed.
  bool before_call() {
    if (calls_++ % kEvery != 0) return true;
    if (!ranks_.meet()) return false;
    const auto start = LoopClock::now();
    if (!ranks_.meet()) return false;
    us_.push_back(std::max(loop_microseconds(start, LoopClock::now()) - clock_us_, 0.0));
    return true;
  }
  bool median(double* us) {
    if (!ranks_.largest(us_.data(), us_.size())) return false;
    *us = median_of(us_);
    return true;
  }

 private:
  static constexpr uint32_t kEvery = 8;

  Ranks& ranks_;
  double clock_us_;
  uint64_t calls_ = 0;
  std::vector<double> us_;
};

template <class Ranks, class Call>
bool time_synchronised(Ranks& ranks, uint32_t iterations, double clock_us, Call& call,
                       std::vector<double>* us, FloorTimes<Ranks>* floor = nullptr) {
  us->assign(iterations, 0);
  for (double& time : *us) {
    if (floor != nullptr && !floor->before_call()) return false;
    if (!ranks.meet()) return false;
    const auto start = LoopClock::now();
    if (!call()) return false;
    const auto stop = LoopClock::now();
    time = std::max(loop_microseconds(start, stop) - clock_us, 0.0);
  }
  return ranks.largest(us->data(), us->size());
}

template <class Ranks, class Call>
bool time_back_to_back(Ranks& ranks, uint32_t samples, uint32_t calls, double clock_us, Call& call,
                       std::vector<double>* us, FloorTimes<Ranks>* floor) {
  us->assign(samples, 0);
  for (double& time : *us) {
    if (!floor->before_call()) return false;
    if (!ranks.meet()) return false;
    const auto start = LoopClock::now();
    for (uint32_t i = 0; i < calls; ++i) {
      if (!call()) return false;
    }
    const auto stop = LoopClock::now();
    time = std::max(loop_microseconds(start, stop) - clock_us, 0.0) / calls;
  }
  return ranks.largest(us->data(), us->size());
}

// Warms up, then measures; the same times on all ranks. False: a call or a meeting failed.
template <class Ranks, class Call>
bool run_loop(Ranks& ranks, const LoopOptions& options, Call&& call, LoopTimes* measured) {
  const double clock_us = clock_cost_us();
  const uint32_t first = options.warmup != 0 ? options.warmup : LoopOptions::kFewestWarm;
  std::vector<double> times;
  const auto began = LoopClock::now();
  if (!time_synchronised(ranks, first, clock_us, call, &times)) return false;
  // With the meetings: where ranks share cores these take longer than the calls.
  double each = loop_microseconds(began, LoopClock::now()) / first;
  if (!ranks.largest(&each, 1)) return false;
  if (options.warmup == 0) {
    const uint32_t more = iterations_that_fit(each, options.seconds / 10) / 4;
    const auto again = LoopClock::now();
    if (!time_synchronised(ranks, std::max(more, 1u), clock_us, call, &times)) return false;
    each = loop_microseconds(again, LoopClock::now()) / std::max(more, 1u);
    if (!ranks.largest(&each, 1)) return false;
  }
  uint32_t iterations = options.iterations;
  if (iterations == 0) iterations = iterations_that_fit(each, options.seconds);
  FloorTimes<Ranks> floor(ranks, clock_us);
  if (!options.back_to_back) {
    return time_synchronised(ranks, iterations, clock_us, call, &measured->us, &floor) &&
           floor.median(&measured->floor);
  }
  // A sample of about a millisecond: long against the meeting before it.
  const auto calls = static_cast<uint32_t>(std::clamp(1000 / std::max(each, 0.05), 1.0, 1000.0));
  const uint32_t samples = std::max((iterations + calls - 1) / calls, LoopOptions::kFewest);
  return time_back_to_back(ranks, samples, calls, clock_us, call, &measured->us, &floor) &&
         floor.median(&measured->floor);
}

// The floor by itself, before anything else is measured.
template <class Ranks>
bool exchange_floor(Ranks& ranks, const LoopOptions& options, double* us) {
  LoopOptions plain = options;
  plain.back_to_back = false;
  LoopTimes measured;
  if (!run_loop(
          ranks, plain, [] { return true; }, &measured))
    return false;
  *us = measured.floor;
  return true;
}

}  // namespace muster::cli

#endif
