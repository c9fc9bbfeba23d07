// The kernel that a call launches, so that it can be launched without the call: what a bare launch
// costs is told apart from what surrounds it.
//
// One thread, with the device's context current. Lives as long as the buffers of the call.
#ifndef MUSTER_TESTS_BENCH_RECORDED_LAUNCH_HPP
#define MUSTER_TESTS_BENCH_RECORDED_LAUNCH_HPP

#include <functional>

#include "plugins/cuda_driver/driver.hpp"

namespace muster::bench {

class RecordedLaunch {
 public:
  // call enqueues exactly one kernel on the stream, which is captured and not run. programmatic:
  // the launch is one that may begin while its predecessor ends, which a graph does not tell.
  // Throws when it was another number of kernels, or the driver is too old.
  RecordedLaunch(const cuda::Driver& driver, cuda::Stream stream, bool programmatic,
                 const std::function<void()>& call);
  ~RecordedLaunch();
  RecordedLaunch(const RecordedLaunch&) = delete;
  RecordedLaunch& operator=(const RecordedLaunch&) = delete;

  cuda::Result launch() const { return launch_(&config_, function_, node_.parameters, nullptr); }
  const cuda::LaunchConfig& config() const { return config_; }

 private:
  const cuda::Driver& driver_;
  decltype(cuda::Driver::launch) launch_;
  cuda::Graph graph_ = nullptr;  // keeps the parameters
  cuda::KernelNode node_{};
  cuda::Function function_ = nullptr;
  cuda::LaunchAttribute programmatic_{};
  cuda::LaunchConfig config_{};
};

}  // namespace muster::bench

#endif
