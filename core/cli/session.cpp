#include "core/cli/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/agree/runtime.hpp"
#include "core/base/names.hpp"
#include "core/cli/processors.hpp"

namespace muster::cli {
namespace {

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

// Ranks of several nodes meet in a barrier.
struct ControlRanks {
  muster_group* control;
  Status status;

  bool meet() {
    status = Status(muster_barrier(control));
    return status.ok();
  }
  bool largest(double* values, size_t n) {
    status = Status(muster_all_reduce(control, values, values, n, MUSTER_F64, MUSTER_MAX, nullptr));
    return status.ok();
  }
};

Status lost_rank(const Meeting& meeting) {
  return {
      MUSTER_PEER_LOST, fmt::format("rank {} did not come to a measurement", meeting.missing()),
      "look for its exit or signal in its own output; one that is stopped is waited for a minute"};
}

}  // namespace

std::string Checked::text() const {
  std::string text;
  for (size_t r = 0; r < by_rank.size(); ++r) {
    const RankWrong& wrong = by_rank[r];
    if (wrong.count == 0) continue;
    text += fmt::format("{}rank {}: {} element{} wrong, the first is {}: {} instead of {}",
                        text.empty() ? "" : "; ", r, wrong.count, wrong.count == 1 ? "" : "s",
                        wrong.first, wrong.got, wrong.right);
  }
  return text;
}

Result<std::unique_ptr<Session>> Session::open(const RankOptions& options) {
  std::unique_ptr<Session> session(new Session);
  std::string toml = rank_config(options);
  // The group that carries times and verdicts must not suffer the fault that is being shown.
  if (!options.fault.empty()) {
    toml += "[group.\"cli-control\".backend.shm]\noptions = { fault_flip_rank = -1 }\n";
  }
  muster_runtime_options runtime_options{};
  runtime_options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
  runtime_options.config_text = toml.c_str();
  if (!options.config_file.empty()) runtime_options.config_file = options.config_file.c_str();
  muster_memory kind = MUSTER_HOST;
  uint32_t device = 0;
  if (!options.device.empty()) {
    kind = *memory_from_name(options.device);
    device = local_place().rank;
    if (options.devices != 0) device %= options.devices;
    runtime_options.device_plus_one = static_cast<int32_t>(device) + 1;
  }
  MUSTER_TRY(Status(muster_init(&runtime_options, &session->runtime_)));
  if (kind != MUSTER_HOST) {
    auto run = DeviceRun::open(session->runtime_->devices.find(kind), kind, device);
    if (!run.ok()) return run.take_status();
    session->device_ = std::move(*run);
  }
  MUSTER_TRY(session->make_group("cli-control", MUSTER_HOST, &session->control_));
  MUSTER_TRY(session->make_meeting());
  return session;
}

Status Session::make_meeting() {
  MeetingAddress address;
  std::unique_ptr<Meeting> meeting;
  if (rank() == 0) meeting = Meeting::host(size(), &address);
  MUSTER_TRY(Status(
      muster_broadcast(control_, &address, &address, sizeof(address), MUSTER_U8, 0, nullptr)));
  if (rank() != 0) meeting = Meeting::join(address, rank());
  int32_t joined = meeting != nullptr ? 1 : 0;
  MUSTER_TRY(
      Status(muster_all_reduce(control_, &joined, &joined, 1, MUSTER_I32, MUSTER_MIN, nullptr)));
  if (joined == 0) return Status();
  if (!meeting->open_with_all()) return lost_rank(*meeting);
  meeting_ = std::move(meeting);
  return Status();
}

Session::~Session() {
  for (const auto& [backend, layout] : layouts_) Status::destroy(muster_layout_destroy(layout));
  for (const auto& [name, group] : groups_) Status::destroy(muster_group_destroy(group));
  Status::destroy(muster_group_destroy(control_));
  device_.reset();
  muster_finalize(runtime_);
}

Status Session::make_group(const std::string& name, muster_memory memory, muster_group** out) {
  muster_group_options options{};
  options.struct_size = MUSTER_GROUP_OPTIONS_SIZE;
  options.memory = memory;
  options.name = name.c_str();
  return Status(muster_group_create(runtime_, &options, nullptr, 0, out));
}

Result<muster_group*> Session::group(const std::string& backend, uint32_t variant) {
  const std::string name = group_name_for(backend, variant);
  for (const auto& [known, group] : groups_) {
    if (known == name) return group;
  }
  muster_group* made = nullptr;
  const muster_memory memory = device_ != nullptr ? device_->memory() : muster_memory{MUSTER_HOST};
  MUSTER_TRY(make_group(name, memory, &made));
  groups_.emplace_back(name, made);
  return made;
}

Result<muster_group*> Session::role_group(const std::string& backend,
                                          const muster_layout_sizes& sizes, muster_role role) {
  auto found = std::find_if(layouts_.begin(), layouts_.end(),
                            [&](const auto& entry) { return entry.first == backend; });
  if (found == layouts_.end()) {
    // Without a named backend the groups are named by role alone: the configuration applies.
    const std::string name = group_name_for(backend);
    muster_layout_options options{};
    options.struct_size = MUSTER_LAYOUT_OPTIONS_SIZE;
    options.name = backend.empty() ? nullptr : name.c_str();
    muster_layout* made = nullptr;
    if (Status status(muster_layout_create(runtime_, &sizes, &options, &made)); !status.ok()) {
      return status;
    }
    layouts_.emplace_back(backend, made);
    found = layouts_.end() - 1;
  }
  muster_group* group = nullptr;
  if (Status status(muster_layout_group(found->second, role, &group)); !status.ok()) return status;
  return group;
}

Result<Checked> Session::share(const Exercise::Wrong& wrong) {
  const RankWrong mine{wrong.count, wrong.first, wrong.got, wrong.right};
  Checked checked;
  checked.by_rank.resize(size());
  MUSTER_TRY(Status(muster_all_gather(control_, &mine, checked.by_rank.data(), sizeof(mine),
                                      MUSTER_U8, nullptr)));
  for (const RankWrong& rank : checked.by_rank) checked.wrong += rank.count;
  return checked;
}

Result<Checked> Session::check(muster_group* group, Exercise& exercise, uint64_t round) {
  exercise.fill(round);
  MUSTER_TRY(Status(muster_execute(group, &exercise.call())));
  return share(exercise.check());
}

Result<Checked> Session::check(muster_group* group, Placement& placement, uint64_t round) {
  return check(placement, round, [&] { return Status(muster_execute(group, &placement.call())); });
}

Result<Checked> Session::check(Placement& placement, uint64_t round,
                               const std::function<Status()>& run) {
  MUSTER_TRY(placement.fill(round));
  MUSTER_TRY(run());
  if (device_ != nullptr) MUSTER_TRY(device_->synchronize());
  Result<Exercise::Wrong> wrong = placement.check();
  if (!wrong.ok()) return wrong.take_status();
  return share(*wrong);
}

Status Session::slowest(std::vector<double>& microseconds) {
  return Status(muster_all_reduce(control_, microseconds.data(), microseconds.data(),
                                  microseconds.size(), MUSTER_F64, MUSTER_MAX, nullptr));
}

Result<LoopTimes> Session::time_each(muster_group* group, const muster_call& call,
                                     const LoopOptions& options) {
  Status failed;
  const auto execute = [&] {
    muster_status* const status = muster_execute(group, &call);
    if (status == nullptr) [[likely]]
      return true;
    failed = Status(status);
    return false;
  };
  LoopTimes times;
  if (meeting_ != nullptr) {
    if (run_loop(*meeting_, options, execute, &times)) return times;
    return failed.ok() ? lost_rank(*meeting_) : std::move(failed);
  }
  ControlRanks ranks{control_, Status()};
  if (run_loop(ranks, options, execute, &times)) {
    times.floor = 0;
    return times;
  }
  return failed.ok() ? std::move(ranks.status) : std::move(failed);
}

Result<std::vector<double>> Session::time_samples(uint32_t samples,
                                                  const std::function<Result<double>()>& sample) {
  std::vector<double> us(samples, 0);
  for (double& time : us) {
    if (meeting_ != nullptr) {
      if (!meeting_->meet()) return lost_rank(*meeting_);
    } else {
      MUSTER_TRY(Status(muster_barrier(control_)));
    }
    Result<double> taken = sample();
    if (!taken.ok()) return taken.take_status();
    time = *taken;
  }
  MUSTER_TRY(slowest(us));
  return us;
}

Result<double> Session::floor(const LoopOptions& options) {
  double us = 0;
  if (meeting_ != nullptr && !exchange_floor(*meeting_, options, &us)) {
    return lost_rank(*meeting_);
  }
  return us;
}

Result<double> Session::time_all(muster_group* group, const Exercise& exercise, uint64_t repeat) {
  MUSTER_TRY(Status(muster_barrier(control_)));
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < repeat; ++i) MUSTER_TRY(Status(muster_execute(group, &exercise.call())));
  std::vector<double> total = {microseconds_since(start)};
  if (Status status = slowest(total); !status.ok()) return status;
  return total.front();
}

Result<std::string> Session::backend_of(muster_group* group, const muster_call& call) {
  const char* name = nullptr;
  if (Status status(muster_group_backend(group, &call, &name)); !status.ok()) return status;
  return std::string(name);
}

}  // namespace muster::cli
