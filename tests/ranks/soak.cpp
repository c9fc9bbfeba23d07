// The soak: random calls of every operation on two groups over the same ranks (one of them in
// reversed order), blocking, started and batched ones mixed, without barriers between them.
//
//   soak [--calls N] [--seed N] [--threads N] [--max-bytes N] [--memory shared] [--config TOML]
//
// All ranks draw the same calls from the seed; each rank waits for its started calls in an order of
// its own. Every result is checked: moves whole, long reductions in random parts. Exit code 1 when
// anything was wrong on this rank.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "tests/ranks/instruction_set.hpp"
#include "tests/ranks/runner.hpp"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/world.hpp"

namespace {

using muster::ranks::CallData;
using muster::ranks::Case;
using muster::ranks::mix;
using muster::ranks::Mode;
using muster::ranks::Runner;
using muster::ranks::Said;
using muster::ranks::SharedMemory;
using muster::ranks::Wrong;

// packaging/test --full
bool full_run() {
  const char* const full = std::getenv("MUSTER_TEST_FULL");
  return full != nullptr && std::string(full) == "1";
}

struct Options {
  std::string name = "soak";
  uint64_t calls = full_run() ? 100000 : 1500;
  uint64_t seed = 0;
  uint64_t max_bytes = uint64_t{4} << 20;
  uint32_t threads = 0;
  std::string memory = "ordinary";
  std::string config;
  std::string kernels;
};

// A call of any kind, up to max_bytes per rank, small ones as likely as large ones.
Case draw(const Options& options, uint64_t index, uint32_t size) {
  const uint64_t seed = mix(options.seed, index);
  muster_op op = MUSTER_ALL_REDUCE + mix(seed, 1u) % (MUSTER_OP_END - MUSTER_ALL_REDUCE);
  if (op == MUSTER_RECV) op = MUSTER_SEND;
  const auto dtypes = muster::ranks::dtypes_of(op);
  const muster_dtype dtype = dtypes[mix(seed, 2u) % dtypes.size()];
  const auto redops = muster::ranks::redops_of(op, dtype);
  const muster_redop redop = redops[mix(seed, 3u) % redops.size()];
  Case c = muster::ranks::random_case(op, dtype, redop, size, seed);
  const double fraction = static_cast<double>(mix(seed, 4u) >> 11) / 9007199254740992.0;
  const double bytes = std::exp(fraction * std::log(static_cast<double>(options.max_bytes))) - 1;
  c.count = muster::ranks::count_of_bytes(op, dtype, size, static_cast<uint64_t>(bytes));
  c.special = c.special && bytes < 65536;
  return c;
}

// One rank's part of the soak.
class Soak {
 public:
  Soak(const Options& options, muster_runtime* runtime)
      : options_(options), runtime_(runtime), local_(mix(options.seed, muster_rank(runtime), 5u)) {}

  bool run() {
    if (!create_groups()) return false;
    bool fine = true;
    for (uint64_t i = 0; fine && i < options_.calls; ++i) fine = step(i);
    while (fine && !started_.empty()) fine = finish(started_.size() - 1);
    if (muster_rank(runtime_) == 0) {
      fmt::print("soak {}: {} ranks, bootstrap {}, seed {}: {} calls, {} started, {} wrong\n",
                 options_.name, muster_size(runtime_), muster_bootstrap_name(runtime_),
                 options_.seed, done_, asynchronous_, wrong_);
    }
    if (!fine) {  // the ranks may be apart: nobody waits for the others any more
      for (muster_group* const group : groups_) muster_group_abort(group);
    }
    for (Started& started : started_) muster_work_release(started.work);
    started_.clear();
    spares_.clear();
    runners_.clear();
    shared_.reset();
    for (muster_group* const group : groups_) {
      const Said said = muster_group_destroy(group);
      fine = fine && said.ok();
    }
    std::fflush(stdout);
    return fine && wrong_ == 0;
  }

 private:
  struct Started {
    Case c;
    muster_work* work;
    std::unique_ptr<CallData> data;
  };

  bool create_groups() {
    std::vector<uint32_t> ranks(muster_size(runtime_));
    for (uint32_t r = 0; r < ranks.size(); ++r) ranks[r] = r;
    for (muster_group*& group : groups_) {
      const Said said = muster_group_create(runtime_, nullptr, ranks.data(),
                                            static_cast<uint32_t>(ranks.size()), &group);
      if (!said.ok()) {
        fmt::print("soak {}: no group: {}\n", options_.name, said.message);
        return false;
      }
      std::reverse(ranks.begin(), ranks.end());
    }
    if (options_.memory == "shared") {
      // For all buffers that can be in use at a time.
      shared_ = std::make_unique<SharedMemory>(groups_[0], 160, options_.max_bytes);
      shared_->also_for(groups_[1]);
    }
    for (muster_group* const group : groups_) runners_.emplace_back(group, shared_.get());
    return true;
  }

  bool step(uint64_t index) {
    std::vector<Case> drawn = {draw(options_, index, muster_size(runtime_))};
    if (shared_ != nullptr) muster::ranks::place_in_shared_memory(drawn);
    const Case& c = drawn.front();
    const size_t which = mix(c.seed, 6u) % 2;
    const bool start = c.mode == Mode::kStartWait;
    if (c.op == MUSTER_SEND && muster_size(runtime_) == 1) return true;
    bool fine = true;
    if (start) {
      fine = this->start(groups_[which], c);
    } else {
      const muster::ranks::Outcome outcome = runners_[which].run(c, true);
      fine = report(c, outcome.failure, outcome.wrong);
    }
    ++done_;
    constexpr size_t kMost = 6;
    while (fine && !started_.empty() && (started_.size() > kMost || local_() % 4 == 0)) {
      fine = finish(local_() % started_.size());
    }
    return fine;
  }

  bool start(muster_group* group, const Case& c) {
    Started started{c, nullptr, spare()};
    started.data->prepare(c, muster_group_rank(group), muster_group_size(group), shared_.get());
    if (!started.data->takes_part()) {
      spares_.push_back(std::move(started.data));
      return true;
    }
    const Said said = muster_start(group, &started.data->call(), &started.work);
    if (!said.ok()) return report(c, said.message, {});
    ++asynchronous_;
    started_.push_back(std::move(started));
    return true;
  }

  bool finish(size_t at) {
    Started started = std::move(started_[at]);
    started_.erase(started_.begin() + static_cast<std::ptrdiff_t>(at));
    const Said said = muster_work_wait(started.work);
    muster_work_release(started.work);
    Wrong wrong;
    if (said.ok()) started.data->check(true, wrong);
    spares_.push_back(std::move(started.data));
    return report(started.c, said.ok() ? "" : said.message, wrong);
  }

  std::unique_ptr<CallData> spare() {
    if (spares_.empty()) return std::make_unique<CallData>();
    std::unique_ptr<CallData> data = std::move(spares_.back());
    spares_.pop_back();
    return data;
  }

  // False when a call failed: the ranks may be apart from there on.
  bool report(const Case& c, const std::string& failure, const Wrong& wrong) {
    if (failure.empty() && wrong.count == 0) return true;
    ++wrong_;
    fmt::print("soak {}: rank {} of {}, seed {}: WRONG: {}{}\n  case {}\n", options_.name,
               muster_rank(runtime_), muster_size(runtime_), options_.seed, failure,
               wrong.count == 0 ? "" : fmt::format("{} wrong: {}", wrong.count, wrong.first),
               muster::ranks::text_of(c));
    return failure.empty();
  }

  const Options& options_;
  muster_runtime* const runtime_;
  std::mt19937_64 local_;  // this rank's own choices
  muster_group* groups_[2] = {};
  std::unique_ptr<SharedMemory> shared_;  // of both groups
  std::vector<Runner> runners_;
  std::vector<Started> started_;
  std::vector<std::unique_ptr<CallData>> spares_;
  uint64_t done_ = 0;
  uint64_t asynchronous_ = 0;
  uint64_t wrong_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Random calls on two groups over the same ranks");
  app.add_option("--name", options.name, "what to call this run");
  app.add_option("--calls", options.calls, "how many calls");
  app.add_option("--seed", options.seed, "same on all ranks");
  app.add_option("--max-bytes", options.max_bytes, "largest buffers of a rank's call, in total");
  app.add_option("--threads", options.threads, "ranks as threads of this process");
  app.add_option("--memory", options.memory, "where buffers lie")
      ->check(CLI::IsMember({"ordinary", "shared"}));
  app.add_option("--config", options.config, "configuration, TOML");
  app.add_option("--kernels", options.kernels, "use the kernels of this instruction set");
  CLI11_PARSE(app, argc, argv);
  if (!muster::ranks::processor_has(options.kernels)) return muster::ranks::kSkipped;
  const std::string config = muster::ranks::kernels_config(options.kernels) + options.config;
  return muster::ranks::run_ranks(options.threads, config, [&](muster_runtime* runtime) {
    if (!muster::ranks::kernels_in_use(runtime, options.kernels)) {
      fmt::print("soak {}: the kernels of {} are not used\n", options.name, options.kernels);
      return 1;
    }
    return Soak(options, runtime).run() ? 0 : 1;
  });
}
