// One rank of bench or replay: its runtime, a control group for measuring, and per backend one
// group or one layout to run on.
//
// Uses the C API, as a program would; only the plugin of a device is asked for of the runtime
// itself.
#ifndef MUSTER_CORE_CLI_SESSION_HPP
#define MUSTER_CORE_CLI_SESSION_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/agree/exercise.hpp"
#include "core/base/status.hpp"
#include "core/cli/meeting.hpp"
#include "core/cli/placement.hpp"
#include "core/cli/ranks.hpp"
#include "core/cli/timed_loop.hpp"
#include "muster/muster.h"
#include "muster/parallel.h"

namespace muster::cli {

// What was wrong on one rank.
struct RankWrong {
  uint64_t count = 0;
  uint64_t first = 0;
  double got = 0;
  double right = 0;
};

struct Checked {
  uint64_t wrong = 0;  // over all ranks
  std::vector<RankWrong> by_rank;
  // "rank 1: 1 element wrong, the first is 17: 3 instead of 2"; "" when right.
  std::string text() const;
};

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const RankOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  uint32_t rank() const { return muster_rank(runtime_); }
  uint32_t size() const { return muster_size(runtime_); }
  bool prints() const { return rank() == 0; }
  const char* bootstrap() const { return muster_bootstrap_name(runtime_); }

  // The group that prefers a backend ("": the chain as configured), or a variant of it
  // (group_name_for); made on first use. [collective]
  Result<muster_group*> group(const std::string& backend, uint32_t variant = 0);
  // The same for the group of a role. One layout per session. [collective over the world]
  Result<muster_group*> role_group(const std::string& backend, const muster_layout_sizes& sizes,
                                   muster_role role);
  // Runs the exercise once with fresh inputs, and tells every rank what was wrong where.
  // [collective]
  Result<Checked> check(muster_group* group, Exercise& exercise, uint64_t round);
  // The same in the memory of a placement. [collective]
  Result<Checked> check(muster_group* group, Placement& placement, uint64_t round);
  // The same of something else that carries out the placement's call. [collective]
  Result<Checked> check(Placement& placement, uint64_t round, const std::function<Status()>& run);
  // The device that the groups' memory lies on; NULL: the host.
  DeviceRun* device() { return device_.get(); }
  // What `sample` says, again and again, the ranks having met before each; of the slowest rank.
  // [collective]
  Result<std::vector<double>> time_samples(uint32_t samples,
                                           const std::function<Result<double>()>& sample);
  // The measured loop around the call. [collective]
  Result<LoopTimes> time_each(muster_group* group, const muster_call& call,
                              const LoopOptions& options);
  // Whether ranks meet in shared memory before a timed call; else in a barrier of the control
  // group, which hides what takes less than it.
  bool meets_in_memory() const { return meeting_ != nullptr; }
  // Microseconds that the ranks need to notice each other; 0 where they do not meet in memory.
  // [collective]
  Result<double> floor(const LoopOptions& options);
  // `repeat` calls back to back; the slowest rank's microseconds for all. [collective]
  Result<double> time_all(muster_group* group, const Exercise& exercise, uint64_t repeat);
  // Who serves it.
  Result<std::string> backend_of(muster_group* group, const muster_call& call);

 private:
  Session() = default;
  Status make_group(const std::string& name, muster_memory memory, muster_group** out);
  Status make_meeting();
  Result<Checked> share(const Exercise::Wrong& wrong);
  Status slowest(std::vector<double>& microseconds);

  muster_runtime* runtime_ = nullptr;
  std::unique_ptr<DeviceRun> device_;
  muster_group* control_ = nullptr;
  std::unique_ptr<Meeting> meeting_;
  std::vector<std::pair<std::string, muster_group*>> groups_;
  std::vector<std::pair<std::string, muster_layout*>> layouts_;
};

}  // namespace muster::cli

#endif
