// What dispatch costs: the same backend function called directly through a pointer, through
// muster_all_reduce with a chain of three backends and 200 rules, through muster_execute and
// through a plan. The backend does nothing, so everything is overhead. "forwarded" is the floor of
// whatever lies in a shared library: a function of one that only calls on (forward.cpp).
//
//   build/tests/bench_dispatch                    nanoseconds
//   build/tests/bench_dispatch --count CALLS...   only makes calls, for instructions.py
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "muster/muster.h"
#include "muster/plan.h"
#include "muster/plugin.hpp"
#include "tests/bench/forward.hpp"

namespace {

volatile uint64_t executed = 0;

class NullGroup {
 public:
  explicit NullGroup(muster::plugin::Group group) : group_(group) {}
  void connect() {}
  void execute(const muster_call& call) { executed = executed + call.count; }

 private:
  muster::plugin::Group group_;
};

template <int Priority>
class NullBackend {
 public:
  static constexpr int32_t kPriority = Priority;
  explicit NullBackend(muster::plugin::Host) {}
  void probe(muster::plugin::Facts) {}
  void offer(muster::plugin::Query query) {
    // Two bands, so that a lookup scans as it does in practice.
    for (const bool large : {false, true}) {
      muster_rule rule =
          muster::plugin::rule(large ? "large" : "small", MUSTER_BIT(MUSTER_OP_END) - 2);
      rule.dtypes = MUSTER_BIT(MUSTER_DTYPE_END) - 1;
      rule.redops = MUSTER_BIT(MUSTER_REDOP_END) - 1;
      rule.bytes_from = large ? 65537 : 0;
      rule.bytes_to = large ? UINT64_MAX : 65536;
      rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE) | MUSTER_BIT(MUSTER_STREAM_CUDA);
      rule.flags = MUSTER_RULE_UNSIZED;
      query.add(rule);
    }
  }
  std::unique_ptr<NullGroup> prepare(muster::plugin::Group group) {
    return std::make_unique<NullGroup>(group);
  }
};

using Fast = NullBackend<90>;
using Middle = NullBackend<60>;
using Slow = NullBackend<30>;
MUSTER_PLUGIN_RECORD(fast_entry, Fast, NullGroup, "null_fast", "1", "muster",
                     MUSTER_BACKEND_INTERFACE, "", "");
MUSTER_PLUGIN_RECORD(middle_entry, Middle, NullGroup, "null_middle", "1", "muster",
                     MUSTER_BACKEND_INTERFACE, "", "");
MUSTER_PLUGIN_RECORD(slow_entry, Slow, NullGroup, "null_slow", "1", "muster",
                     MUSTER_BACKEND_INTERFACE, "", "");

void check(muster_status* status) {
  if (status == nullptr) return;
  std::fprintf(stderr, "%s\n", muster_status_message(status));
  std::exit(1);
}

std::string configuration() {
  std::string toml = "[check]\nknown_answer = false\n[plugins]\nprobe = \"in-process\"\n";
  for (const char* id : {"shm", "mpi", "skeleton"})
    toml += std::string("[backend.") + id + "]\nmode = \"off\"\n";
  // 200 rules that concern other sizes and operations than the call that is measured.
  for (int i = 0; i < 200; ++i) {
    toml += "[[rule]]\nop = \"all_gather\"\nbytes = \"" + std::to_string(1000 + 10 * i) + ".." +
            std::to_string(1005 + 10 * i) + "\"\nprefer = [\"null_slow\"]\n";
  }
  return toml;
}

// A world of two ranks as threads; the second only takes part in making the group.
struct World {
  muster_threads* threads = nullptr;
  muster_runtime* runtimes[2] = {};
  muster_group* groups[2] = {};

  World() {
    check(muster_threads_create(2, &threads));
    const std::string toml = configuration();
    const auto rank = [&](uint32_t r) {
      const muster_entry* const entries[] = {&fast_entry, &middle_entry, &slow_entry};
      muster_runtime_options options = {};
      options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
      options.builtin = entries;
      options.builtin_count = 3;
      options.threads = threads;
      options.thread_rank = r;
      options.config_text = toml.c_str();
      check(muster_init(&options, &runtimes[r]));
      check(muster_group_create(runtimes[r], nullptr, nullptr, 0, &groups[r]));
    };
    std::thread other(rank, 1);
    rank(0);
    other.join();
  }
  ~World() {
    for (int r = 0; r < 2; ++r) check(muster_group_destroy(groups[r]));
    for (int r = 0; r < 2; ++r) muster_finalize(runtimes[r]);
    muster_threads_release(threads);
  }
};

muster_group* group() {
  static World world;
  return world.groups[0];
}

using Tables = muster::plugin::detail::Tables<Fast, NullGroup>;

float in[16];
float out[16];

muster_call make_call() {
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.send = in;
  call.recv = out;
  call.count = 16;
  return call;
}

// Each way makes calls for as long as it is told to, by Google Benchmark or by a number.

// The same function of the same backend, through a pointer that the compiler cannot see through.
template <typename Turns>
void direct(Turns& turns) {
  muster::plugin::detail::GroupState<NullGroup> backend_group{nullptr, nullptr};
  // execute reads nothing of the group but the pointer to its object; any NullGroup will do.
  alignas(NullGroup) static unsigned char storage[sizeof(NullGroup)];
  std::memset(storage, 0, sizeof(storage));
  backend_group.group.reset(reinterpret_cast<NullGroup*>(storage));
  auto* const pointer = reinterpret_cast<muster_backend_group*>(&backend_group);
  muster_status* (*volatile execute)(muster_backend_group*, const muster_call*) =
      Tables::table.execute;
  muster_call call = make_call();
  for ([[maybe_unused]] auto turn : turns) {
    benchmark::DoNotOptimize(call);
    benchmark::DoNotOptimize(execute(pointer, &call));
  }
  (void)backend_group.group.release();
}

template <typename Turns>
void forwarded(Turns& turns) {
  alignas(NullGroup) static unsigned char storage[sizeof(NullGroup)];
  muster::plugin::detail::GroupState<NullGroup> backend_group{nullptr, nullptr};
  std::memset(storage, 0, sizeof(storage));
  backend_group.group.reset(reinterpret_cast<NullGroup*>(storage));
  const muster_call call = make_call();
  Forward forward{Tables::table.execute, reinterpret_cast<muster_backend_group*>(&backend_group),
                  &call};
  for ([[maybe_unused]] auto turn : turns) benchmark::DoNotOptimize(bench_forward(&forward));
  (void)backend_group.group.release();
}

template <typename Turns>
void through_the_chain(Turns& turns) {
  muster_group* const g = group();
  for ([[maybe_unused]] auto turn : turns)
    benchmark::DoNotOptimize(muster_all_reduce(g, in, out, 16, MUSTER_F32, MUSTER_SUM, nullptr));
}

template <typename Turns>
void in_place(Turns& turns) {
  muster_group* const g = group();
  for ([[maybe_unused]] auto turn : turns)
    benchmark::DoNotOptimize(muster_all_reduce(g, out, out, 16, MUSTER_F32, MUSTER_SUM, nullptr));
}

// With options that say a stream, as calls on devices have.
template <typename Turns>
void on_stream(Turns& turns) {
  muster_group* const g = group();
  muster_call_options options = {};
  options.struct_size = MUSTER_CALL_OPTIONS_SIZE;
  options.stream = {MUSTER_STREAM_CUDA, 0, 1};
  for ([[maybe_unused]] auto turn : turns)
    benchmark::DoNotOptimize(muster_all_reduce(g, in, out, 16, MUSTER_F32, MUSTER_SUM, &options));
}

template <typename Turns>
void all_gather(Turns& turns) {
  muster_group* const g = group();
  for ([[maybe_unused]] auto turn : turns)
    benchmark::DoNotOptimize(muster_all_gather(g, in, out, 8, MUSTER_F32, nullptr));
}

template <typename Turns>
void by_execute(Turns& turns) {
  muster_group* const g = group();
  const muster_call call = make_call();
  for ([[maybe_unused]] auto turn : turns) benchmark::DoNotOptimize(muster_execute(g, &call));
}

template <typename Turns, muster_status* (*Run)(muster_plan*)>
void with_plan(Turns& turns) {
  const muster_call call = make_call();
  muster_plan* plan = nullptr;
  check(muster_plan_create(group(), &call, &plan));
  for ([[maybe_unused]] auto turn : turns) benchmark::DoNotOptimize(Run(plan));
  muster_plan_release(plan);
}

template <typename Turns>
void by_plan(Turns& turns) {
  with_plan<Turns, muster_plan_run>(turns);
}

template <typename Turns>
void by_replay(Turns& turns) {
  with_plan<Turns, muster_plan_replay>(turns);
}

struct Counted {
  std::vector<char> turns;
  auto begin() { return turns.begin(); }
  auto end() { return turns.end(); }
};

struct Way {
  const char* name;
  void (*timed)(benchmark::State&);
  void (*counted)(Counted&);
};
constexpr Way kWays[] = {{"direct", direct, direct},
                         {"forwarded", forwarded, forwarded},
                         {"through_the_chain", through_the_chain, through_the_chain},
                         {"in_place", in_place, in_place},
                         {"all_gather", all_gather, all_gather},
                         {"on_stream", on_stream, on_stream},
                         {"by_execute", by_execute, by_execute},
                         {"by_plan", by_plan, by_plan},
                         {"by_replay", by_replay, by_replay}};

// What instructions.py counts within; a name that callgrind can be told.
extern "C" [[gnu::noinline]] void bench_counted_calls(void (*way)(Counted&), Counted& turns) {
  way(turns);
}

// Every way in turn makes so many calls, then that many ...
int count(int numbers, char** calls) {
  (void)group();  // made before anything is counted
  for (const Way& way : kWays) {
    for (int i = 0; i < numbers; ++i) {
      Counted turns{std::vector<char>(std::strtoul(calls[i], nullptr, 10))};
      bench_counted_calls(way.counted, turns);
    }
    std::printf("%s\n", way.name);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "--count") == 0) return count(argc - 2, argv + 2);
  for (const Way& way : kWays) benchmark::RegisterBenchmark(way.name, way.timed);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
