// gpu_peer_tests: the cuda_peer backend on the devices of this machine, without the runtime.
//
//   gpu_peer_tests [--quick] [--only GROUP,...] [--stress N] [--cache DIR] [--ranks N]
//                  [--largest BYTES]
//
// Groups: correctness, fused, graph, stress, known (memory that all ranks know), shared (several
// ranks on a device), absence, bench, bench_fused, tune. The last line is "N passed, M failed"; the
// exit code is 0 only when nothing failed, 77 without a device. Every world has its own processes
// and a limit of time.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "plugins/backends/cuda_peer/nvrtc.hpp"
#include "tests/gpu/peer/suites.hpp"

namespace muster::peer_test {
namespace {

struct Arguments {
  bool quick = false;
  std::string only = "correctness,fused,graph,stress,known,shared,absence,bench";
  uint64_t stress = 100000;
  std::string cache;
  uint32_t ranks = 0;             // of `shared`; 0: all numbers
  uint64_t largest = UINT64_MAX;  // bytes of a buffer, for tools that make kernels slow

  bool has(const char* group) const {
    return ("," + only + ",").find(std::string(",") + group + ",") != std::string::npos;
  }
};

using Options = std::map<std::string, std::string>;

class Program {
 public:
  Program(Arguments arguments, int devices) : arguments_(std::move(arguments)), devices_(devices) {}

  int run() {
    if (devices_ >= 2) two_devices();
    if (arguments_.has("shared")) shared_device();
    if (devices_ >= 2 && arguments_.has("bench")) bench();
    if (devices_ >= 2 && arguments_.has("bench_fused")) bench_fused();
    if (devices_ >= 2 && arguments_.has("tune")) tune();
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(totals_.passed),
                static_cast<unsigned long long>(totals_.failed));
    return totals_.failed == 0 && totals_.passed > 0 ? 0 : 1;
  }

 private:
  WorldSpec world(const std::string& name, uint32_t ranks, bool processes, const Options& options,
                  unsigned seconds) const {
    WorldSpec spec;
    spec.name = name;
    for (uint32_t r = 0; r < ranks; ++r) spec.devices.push_back(static_cast<int>(r) % devices_);
    spec.processes = processes;
    spec.options = options;
    spec.options.emplace("wait_ms", "5000");
    spec.seconds = seconds;
    spec.cache = arguments_.cache;
    return spec;
  }
  void go(const WorldSpec& spec, const std::function<void(Rank&)>& body) {
    run_world(spec, body, totals_);
  }

  uint64_t at_most(uint64_t mebibytes) const {
    return std::min(mebibytes << 20, arguments_.largest);
  }

  void two_devices() {
    // Above 32 MiB lines, too, come to their places a second time.
    const uint64_t largest = at_most(arguments_.quick ? 8 : 80);
    if (arguments_.has("correctness")) {
      go(world("2 devices, processes", 2, true, {}, 240),
         [&](Rank& r) { correctness(r, largest); });
      for (const char* const algorithm : {"one_shot_push", "two_shot_push", "staged"}) {
        go(world(std::string("2 devices, processes, ") + algorithm, 2, true,
                 {{"algorithm", algorithm}}, 120),
           [&](Rank& r) {
             const bool lines = std::strcmp(algorithm, "one_shot_push") == 0;
             correctness(r, lines ? largest : at_most(8));
           });
      }
      go(world("2 devices, threads", 2, false, {}, 120),
         [&](Rank& r) { correctness(r, at_most(4)); });
      go(world("2 devices, processes, NaN", 2, true, {}, 60), all_bits_set);
      go(world("2 devices, processes, cudaIpc", 2, true, {{"memory", "ipc"}}, 120),
         [&](Rank& r) { correctness(r, at_most(2)); });
      go(world("2 devices, processes, plain launches", 2, true, {{"programmatic", "false"}}, 120),
         [&](Rank& r) { correctness(r, at_most(2)); });
    }
    if (arguments_.has("fused")) {
      go(world("2 devices, processes, fused", 2, true, {}, 120), fused);
    }
    if (arguments_.has("graph")) {
      go(world("2 devices, processes, graphs", 2, true, {}, 120), graphs);
      go(world("2 devices, threads, graphs", 2, false, {}, 120), graphs);
    }
    if (arguments_.has("known")) known();
    if (arguments_.has("absence")) {
      go(world("2 devices, a rank is absent", 2, true, {{"wait_ms", "500"}}, 60), absence);
    }
    if (arguments_.has("stress")) {
      go(world("2 devices, processes, stress", 2, true, {}, 400),
         [&](Rank& r) { stress(r, arguments_.stress); });
      go(world("2 devices, threads, stress", 2, false, {}, 400),
         [&](Rank& r) { stress(r, arguments_.stress / 4); });
    }
  }

  // Memory that all ranks know.
  void known() {
    struct Way {
      const char* name;
      Knowledge knowledge;
    };
    for (const Way& way :
         {Way{"plain memory", Knowledge::kPlain}, Way{"virtual memory", Knowledge::kVirtual},
          Way{"partly", Knowledge::kPartly}}) {
      for (const char* const algorithm : {"", "staged", "one_shot_pull"}) {
        go(world(std::string("2 devices, processes, known, ") + way.name + " " + algorithm, 2, true,
                 {{"algorithm", algorithm}}, 120),
           [&](Rank& r) {
             correctness(r, at_most(*algorithm == '\0' && !arguments_.quick ? 80 : 8),
                         way.knowledge);
           });
      }
    }
    go(world("2 devices, threads, known", 2, false, {{"algorithm", "staged"}}, 120), [&](Rank& r) {
      correctness(r, at_most(4), Knowledge::kPlain);
      correctness(r, at_most(4), Knowledge::kVirtual);
    });
    go(world("2 devices, processes, captured", 2, true, {{"algorithm", "staged"}}, 60), captured);
    go(world("2 devices, threads, captured", 2, false, {{"algorithm", "staged"}}, 60), captured);
    go(world("2 devices, processes, unknown memory", 2, true, {}, 60), unknown_memory);
  }

  // Ranks as threads, for kernels of different processes do not run on a device together.
  void shared_device() {
    const int all = devices_;
    for (uint32_t ranks = 2; ranks <= 8; ++ranks) {
      if (arguments_.ranks != 0 && arguments_.ranks != ranks) continue;
      devices_ = 1;
      go(world(std::to_string(ranks) + " ranks on one device", ranks, false, {}, 120),
         [&](Rank& r) {
           correctness(r, at_most(4));
           graphs(r);
           fused(r);
           all_bits_set(r);
         });
      if (ranks == 3 || ranks == 8) {
        for (const char* const algorithm : {"one_shot_push", "two_shot_push", "staged"}) {
          go(world(std::to_string(ranks) + " ranks on one device, " + algorithm, ranks, false,
                   {{"algorithm", algorithm}}, 120),
             [&](Rank& r) { correctness(r, at_most(2)); });
        }
        for (const char* const algorithm : {"staged", "one_shot_pull"}) {
          go(world(std::to_string(ranks) + " ranks on one device, known, " + algorithm, ranks,
                   false, {{"algorithm", algorithm}}, 120),
             [&](Rank& r) { correctness(r, at_most(2), Knowledge::kVirtual); });
        }
        go(world(std::to_string(ranks) + " ranks on one device, captured", ranks, false,
                 {{"algorithm", "staged"}}, 60),
           captured);
        go(world(std::to_string(ranks) + " ranks on one device, stress", ranks, false, {}, 240),
           [&](Rank& r) { stress(r, arguments_.stress / 20); });
      }
      devices_ = all;
      if (all >= 2 && ranks > 2) {
        go(world(std::to_string(ranks) + " ranks on two devices", ranks, false, {}, 120),
           [&](Rank& r) { correctness(r, at_most(4)); });
      }
    }
    if (devices_ == 1 && arguments_.has("absence")) {
      go(world("1 device, a rank is absent", 2, false, {{"wait_ms", "500"}}, 60), absence);
    }
  }

  void bench() {
    BenchSpec all;
    all.ops = {MUSTER_ALL_REDUCE, MUSTER_ALL_GATHER, MUSTER_REDUCE_SCATTER, MUSTER_BROADCAST};
    all.factor = arguments_.quick ? 16 : 2;
    BenchSpec small = all;
    small.to = uint64_t{64} << 20;
    BenchSpec large = all;
    large.from = uint64_t{256} << 10;
    go(world("bench nccl", 2, true, {}, 200), [&](Rank& r) { benchmark_nccl(r, all); });
    go(world("bench lines", 2, true, {{"algorithm", "one_shot_push"}}, 200),
       [&](Rank& r) { benchmark(r, "lines", small); });
    go(world("bench fused", 2, true, {}, 60), [&](Rank& r) { benchmark_fused(r, "", all); });
    go(world("bench staged", 2, true, {{"algorithm", "staged"}}, 200),
       [&](Rank& r) { benchmark(r, "staged", large); });
    BenchSpec known = all;
    known.known = true;
    BenchSpec direct = known;
    direct.from = large.from;
    go(world("bench direct", 2, true, {{"algorithm", "staged"}}, 200),
       [&](Rank& r) { benchmark(r, "staged, known", direct); });
    go(world("bench pull", 2, true, {{"algorithm", "one_shot_pull"}}, 200),
       [&](Rank& r) { benchmark(r, "one_shot_pull, known", known); });
    BenchSpec chosen = all;
    chosen.factor = 2;
    go(world("bench by size", 2, true, {}, 200), [&](Rank& r) { benchmark(r, "by size", chosen); });
    chosen.known = true;
    go(world("bench by size, known", 2, true, {}, 200),
       [&](Rank& r) { benchmark(r, "by size, known", chosen); });
  }

  void bench_fused() {
    go(world("bench fused", 2, true, {}, 60), [](Rank& r) { benchmark_fused(r, "", BenchSpec()); });
  }

  // Other shapes of launches.
  void tune() {
    BenchSpec small;
    small.to = uint64_t{64} << 20;
    for (const char* const blocks : {"132", "264"}) {
      go(world("tune lines", 2, true, {{"algorithm", "one_shot_push"}, {"blocks", blocks}}, 60),
         [&](Rank& r) { benchmark(r, std::string("lines, blocks ") + blocks, small); });
    }
    go(world("tune lines", 2, true, {{"algorithm", "one_shot_push"}, {"programmatic", "false"}},
             60),
       [&](Rank& r) { benchmark(r, "lines, plain launches", small); });
    for (const char* const cluster : {"1", "8"}) {
      go(world("tune fused", 2, true, {{"cluster", cluster}}, 60),
         [&](Rank& r) { benchmark_fused(r, std::string("cluster ") + cluster, small); });
    }
    BenchSpec large;
    large.from = uint64_t{1} << 20;
    for (const char* const lag : {"1", "2"}) {
      for (const char* const step : {"8192", "16384"}) {
        go(world("tune stages", 2, true,
                 {{"algorithm", "staged"}, {"lag", lag}, {"step_bytes", step}}, 60),
           [&](Rank& r) {
             benchmark(r, std::string("staged, lag ") + lag + ", step " + step, large);
           });
      }
    }
  }

  Arguments arguments_;
  int devices_;
  Totals totals_;
};

int run(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* const next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--quick") {
      arguments.quick = true;
    } else if (word == "--only") {
      arguments.only = next, ++i;
    } else if (word == "--stress") {
      arguments.stress = std::strtoull(next, nullptr, 10), ++i;
    } else if (word == "--cache") {
      arguments.cache = next, ++i;
    } else if (word == "--ranks") {
      arguments.ranks = static_cast<uint32_t>(std::atoi(next)), ++i;
    } else if (word == "--largest") {
      arguments.largest = std::strtoull(next, nullptr, 10), ++i;
    } else {
      std::fprintf(stderr,
                   "usage: gpu_peer_tests [--quick] [--only GROUP,...] [--stress N] "
                   "[--cache DIR] [--ranks N] [--largest BYTES]\n");
      return 2;
    }
  }
  const int devices = count_devices();
  if (devices <= 0) {
    std::printf("0 passed, 0 failed: skipped, there is no device\n");
    return 77;
  }
  char directory[] = "/tmp/gpu_peer_tests-XXXXXX";
  const bool own_cache = arguments.cache.empty();
  if (own_cache && mkdtemp(directory) != nullptr) arguments.cache = directory;
  std::printf("%d devices, NVRTC %s\n", devices, cuda_peer::Nvrtc::get().version().c_str());
  const int code = Program(arguments, devices).run();
  if (own_cache) static_cast<void>(std::system(("rm -rf " + arguments.cache).c_str()));
  return code;
}

}  // namespace
}  // namespace muster::peer_test

int main(int argc, char** argv) { return muster::peer_test::run(argc, argv); }
