// What the tests of groups share: worlds of mocks, failures as text, how often something happened
// per rank.
#ifndef MUSTER_TESTS_UNIT_AGREE_RECORDER_HPP
#define MUSTER_TESTS_UNIT_AGREE_RECORDER_HPP

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "muster/testing/world.hpp"

namespace muster::testing {

// How often something happened on each rank. Any thread.
class PerRank {
 public:
  void count(uint32_t rank) {
    const std::lock_guard lock(mutex_);
    ++counts_[rank];
  }
  std::map<uint32_t, int> counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint32_t, int> counts_;
};

// The failure of a body, or code OK. Not for worlds: for one call on one rank.
struct Failed {
  muster_code code = MUSTER_OK;
  std::string cause;
  std::string remedy;
};
inline Failed failure_of(const std::function<void()>& body) {
  try {
    body();
    return {};
  } catch (const api::Error& error) {
    return {error.code(), error.cause(), error.remedy()};
  }
}

// The lines of the log while it lives, instead of stderr.
class CapturedLog {
 public:
  CapturedLog() {
    set_log_sink(
        [](void* context, muster_log_level, const char* line) {
          auto& self = *static_cast<CapturedLog*>(context);
          const std::lock_guard lock(self.mutex_);
          self.lines_.emplace_back(line);
        },
        this);
  }
  ~CapturedLog() { set_log_sink(nullptr, nullptr); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  // How many lines hold the text.
  int count(const std::string& text) const {
    const std::lock_guard lock(mutex_);
    int found = 0;
    for (const std::string& line : lines_) found += line.find(text) != std::string::npos ? 1 : 0;
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace muster::testing

#endif
