// Builds several things at a time, each in a process of its own: what a kernel build of whatever
// kind runs in. Nothing is left when the builder is ended.
//
// Not for a process with threads: `muster precompile`, and the helper of background builds.
#ifndef MUSTER_CORE_KERNELS_BUILD_WORKERS_HPP
#define MUSTER_CORE_KERNELS_BUILD_WORKERS_HPP

#include <functional>
#include <string>
#include <vector>

namespace muster {

struct BuildOutcome {
  enum class State { kBuilt, kReady, kFailed };
  std::string name;  // of what was built
  State state = State::kFailed;
  std::string text;  // the file; of a failure, the cause and the log's path
  double seconds = 0;
};

// Runs build(i), in a process of its own, for every name; up to `jobs` at a time. `done` hears of
// each as it ends. Stops early, ending what runs, when stop_fd (-1: none) can be read or the
// process is asked to end: then fewer outcomes come back than there are names.
std::vector<BuildOutcome> run_builds(const std::vector<std::string>& names, unsigned jobs,
                                     int stop_fd, const std::function<BuildOutcome(size_t)>& build,
                                     const std::function<void(const BuildOutcome&)>& done);

}  // namespace muster

#endif
