// How long the steps of a set-up took, in order. One thread.
#ifndef MUSTER_CORE_BASE_STEP_TIMES_HPP
#define MUSTER_CORE_BASE_STEP_TIMES_HPP

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/wait.hpp"

namespace muster {

class StepTimes {
 public:
  StepTimes() : last_(now_ns()) {}

  // A step is over that began where the one before ended. name: a literal.
  void done(const char* name) {
    const uint64_t now = now_ns();
    steps_.emplace_back(name, now - last_);
    last_ = now;
  }
  const std::vector<std::pair<const char*, uint64_t>>& steps() const { return steps_; }

 private:
  uint64_t last_;
  std::vector<std::pair<const char*, uint64_t>> steps_;
};

}  // namespace muster

#endif
