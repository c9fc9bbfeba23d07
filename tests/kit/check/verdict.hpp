// How one case of the conformance suite ended.
#ifndef MUSTER_TESTS_KIT_CHECK_VERDICT_HPP
#define MUSTER_TESTS_KIT_CHECK_VERDICT_HPP

#include <stdexcept>
#include <string>

namespace muster::check {

// By how much they weigh when ranks differ.
enum class Outcome { kNotOffered, kOk, kFailed, kTimedOut, kCrashed, kExpectedFailure };

constexpr const char* outcome_name(Outcome outcome) {
  constexpr const char* kNames[] = {"not offered", "ok",      "failed",
                                    "timed out",   "crashed", "expected failure"};
  return kNames[static_cast<int>(outcome)];
}

struct Verdict {
  Outcome outcome = Outcome::kOk;
  std::string detail;  // what was wrong, or why it was not offered; "" when good
  std::string digest;  // what every rank must have alike; "" for nothing
  bool red() const {
    return outcome == Outcome::kFailed || outcome == Outcome::kTimedOut ||
           outcome == Outcome::kCrashed;
  }
};

// Thrown by cases.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct NotOffered : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace muster::check

#endif
