// What an eager call on a device costs the host: the bare launch of the kernel that it launches,
// the backend's function through a pointer, the plain call of muster.h, and a plan. In turns, in
// one process; the stream is drained between them, outside of what is timed, so that a launch never
// waits for a place in the queue. All four do the whole work: each is a real all_reduce.
//
//   muster run -n 2 -- bench_launch [--calls N] [--repeats N] [BYTES...]
//
// A rank has the device of its number. Exits 77 where there is no device.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "muster/muster.hpp"
#include "muster/plan.h"
#include "tests/bench/recorded_launch.hpp"
#include "tests/gpu/device.hpp"

namespace {

using namespace muster;

constexpr int kSkipped = 77;
constexpr unsigned kDropped = 5;   // repeats before those that count
constexpr uint16_t kOne = 0x3f80;  // bf16
constexpr uint16_t kTwo = 0x4000;

struct Options {
  unsigned calls = 200;  // below the thousand launches that a stream keeps
  unsigned repeats = 101;
  std::vector<uint64_t> sizes;
};

enum Way : unsigned { kBare, kSlot, kCall, kReplay, kWays };
constexpr const char* kNames[kWays] = {"launch", "backend", "call", "replay"};

double median_of(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

class Rank {
 public:
  Rank(const api::Runtime& runtime, const Options& options)
      : options_(options),
        device_(runtime.rank()),
        host_(runtime, named("launch-host")),
        group_(runtime, on_device()) {
    stream_.stream = device_.stream();
  }

  void measure(uint64_t bytes);

 private:
  static api::GroupOptions named(const char* name) {
    api::GroupOptions options;
    options.name = name;
    options.memory = MUSTER_HOST;
    return options;
  }
  static api::GroupOptions on_device() {
    api::GroupOptions options = named("launch");
    options.memory = MUSTER_CUDA;
    return options;
  }
  muster_status* call(const void* send, void* recv, uint64_t count) {
    return muster_all_reduce(group_.get(), send, recv, count, MUSTER_BF16, MUSTER_SUM, &stream_);
  }
  // Nanoseconds of one call of many.
  template <typename Once>
  double timed(const Once& once) {
    host_.barrier();
    const auto start = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < options_.calls; ++i) {
      if (!once()) throw std::runtime_error("a call failed while it was timed");
    }
    const auto end = std::chrono::steady_clock::now();
    device_.synchronize();
    return std::chrono::duration<double, std::nano>(end - start).count() / options_.calls;
  }
  void check_result(void* recv, uint64_t count);

  const Options& options_;
  gpu::Device device_;
  api::Group host_;
  api::Group group_;
  api::Options stream_;
};

void Rank::check_result(void* recv, uint64_t count) {
  std::vector<uint16_t> got(count);
  device_.copy(got.data(), recv, count * sizeof(uint16_t));
  if (std::any_of(got.begin(), got.end(), [](uint16_t bits) { return bits != kTwo; }))
    throw std::runtime_error("a sum is wrong");
}

void Rank::measure(uint64_t bytes) {
  const uint64_t count = std::max<uint64_t>(bytes / sizeof(uint16_t), 1);
  bytes = count * sizeof(uint16_t);
  void* const send = device_.allocate(bytes);
  void* const recv = device_.allocate(bytes);
  const std::vector<uint16_t> ones(count, kOne);
  device_.copy(send, ones.data(), bytes);

  muster_call record = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_BF16);
  record.redop = MUSTER_SUM;
  record.send = send;
  record.recv = recv;
  record.count = count;
  record.stream = stream_.stream;
  const char* backend = nullptr;
  api::check(muster_group_backend(group_.get(), &record, &backend));
  if (std::string(backend) != "cuda_peer")
    throw std::runtime_error(std::string("served by ") + backend + ", not by cuda_peer");
  muster_plan* made = nullptr;
  api::check(muster_plan_create(group_.get(), &record, &made));
  const api::Plan plan(made);
  auto* const head = reinterpret_cast<muster_plan_head*>(made);

  api::check(muster_graph_begin(group_.get(), MUSTER_GRAPH_CAPTURE));
  const bench::RecordedLaunch bare(device_.driver(),
                                   reinterpret_cast<cuda::Stream>(stream_.stream.handle), true,
                                   [&] { api::check(call(send, recv, count)); });
  api::check(muster_graph_end(group_.get(), 1));

  std::vector<double> ns[kWays];
  for (unsigned repeat = 0; repeat < kDropped + options_.repeats; ++repeat) {
    for (unsigned turn = 0; turn < kWays; ++turn) {
      const unsigned way = (turn + repeat) % kWays;
      double one = 0;
      if (way == kBare) one = timed([&] { return bare.launch() == cuda::kSuccess; });
      if (way == kSlot)
        one = timed([&] { return head->execute(head->state, head->call) == nullptr; });
      if (way == kCall) one = timed([&] { return call(send, recv, count) == nullptr; });
      if (way == kReplay) one = timed([&] { return muster_plan_replay(made) == nullptr; });
      if (repeat >= kDropped) ns[way].push_back(one);
    }
    if (repeat == 0) check_result(recv, count);
  }
  check_result(recv, count);

  // Differences of the same repeat, for clocks of processors and devices drift.
  double values[2 * kWays];
  for (unsigned way = 0; way < kWays; ++way) {
    std::vector<double> over;
    for (size_t i = 0; i < ns[way].size(); ++i) over.push_back(ns[way][i] - ns[kBare][i]);
    values[2 * way] = median_of(ns[way]);
    values[2 * way + 1] = median_of(over);
  }
  host_.all_reduce(values, values, 2 * kWays, MUSTER_F64, MUSTER_MAX);
  device_.free(send);
  device_.free(recv);
  if (host_.rank() != 0) return;
  std::printf("%10llu %6u x %-4u", static_cast<unsigned long long>(bytes), bare.config().grid[0],
              bare.config().block[0]);
  std::printf(" %9.0f", values[0]);
  for (unsigned way = kSlot; way < kWays; ++way)
    std::printf(" %9.0f %+7.0f", values[2 * way], values[2 * way + 1]);
  std::printf("\n");
  std::fflush(stdout);
}

int run(const Options& options) {
  const char* const rank = std::getenv("MUSTER_LOCAL_RANK");
  const char* const size = std::getenv("MUSTER_LOCAL_SIZE");
  if (rank == nullptr || size == nullptr || std::atoi(size) < 2) {
    std::fprintf(stderr, "start it by: muster run -n 2 -- bench_launch\n");
    return 2;
  }
  try {
    if (cuda::Driver::initialised().count_devices() < static_cast<uint32_t>(std::atoi(size))) {
      std::fprintf(stderr, "there are fewer devices than ranks\n");
      return kSkipped;
    }
  } catch (const cuda::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kSkipped;
  }
  api::RuntimeOptions runtime_options;
  runtime_options.device_plus_one = std::atoi(rank) + 1;
  const api::Runtime runtime = api::Runtime::init(runtime_options);
  Rank here(runtime, options);
  if (runtime.rank() == 0) {
    std::printf("# all_reduce bf16, host nanoseconds of a call, medians of %u; + over the launch\n",
                options.repeats);
    std::printf("# %8s %13s %9s", "bytes", "grid x block", kNames[kBare]);
    for (unsigned way = kSlot; way < kWays; ++way) std::printf(" %9s %7s", kNames[way], "+");
    std::printf("\n");
  }
  for (const uint64_t bytes : options.sizes) here.measure(bytes);
  return 0;
}

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const bool named = argument == "--calls" || argument == "--repeats";
    if (named && i + 1 == count) return false;
    const unsigned long long value = std::strtoull(arguments[named ? ++i : i], nullptr, 10);
    if (value == 0) return false;
    if (argument == "--calls") {
      options.calls = static_cast<unsigned>(value);
    } else if (argument == "--repeats") {
      options.repeats = static_cast<unsigned>(value);
    } else {
      options.sizes.push_back(value);
    }
  }
  if (options.sizes.empty()) options.sizes = {8, 1024, 8192, 65536, 524288};
  return options.calls <= 500;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fprintf(stderr, "usage: bench_launch [--calls 1..500] [--repeats N] [BYTES...]\n");
    return 2;
  }
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_launch: %s\n", error.what());
    return 1;
  }
}
