// The method: graphs of operations back to back, four pairs of buffers in rotation; before each
// replay the device is kept busy while everything is enqueued, and the ranks meet in a small
// all_reduce. Median of eleven replays, the slowest rank.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "muster/names.h"
#include "tests/gpu/peer/nccl.hpp"
#include "tests/gpu/peer/suites.hpp"

namespace muster::peer_test {
namespace {

constexpr int kPairs = 4;
constexpr int kReplays = 11;
constexpr uint64_t kElement = 2;  // bf16
constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_ALL_GATHER, MUSTER_REDUCE_SCATTER,
                              MUSTER_BROADCAST};

int operations_of(uint64_t bytes) {
  if (bytes <= uint64_t{1} << 20) return 50;
  if (bytes <= uint64_t{16} << 20) return 20;
  return bytes <= uint64_t{64} << 20 ? 10 : 5;
}

uint64_t recv_bytes(muster_op op, uint64_t bytes, uint32_t ranks) {
  return op == MUSTER_ALL_GATHER ? bytes * ranks : bytes;
}
// A row's size is the input of a rank, as in nccl-tests for all_gather.
uint64_t count_of(muster_op op, uint64_t bytes, uint32_t ranks) {
  return (op == MUSTER_REDUCE_SCATTER ? bytes / ranks : bytes) / kElement;
}

using Enqueue =
    std::function<void(muster_op, uint64_t count, cu::DevicePointer, cu::DevicePointer)>;

struct Times {
  double graph_us = -1;
  double host_us = -1;   // of an eager call
  double eager_us = -1;  // end to end
};

class Meter {
 public:
  explicit Meter(Rank& rank) : rank_(rank), meeting_(rank.allocate(64)) {
    for (Event& event : events_) MUSTER_MUST(test_driver().event_create(&event, 0));
  }
  ~Meter() {
    for (const Event event : events_) test_driver().event_destroy(event);
    rank_.release(meeting_);
  }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // known: in memory that all ranks know.
  Times measure(muster_op op, uint64_t bytes, bool known, const Enqueue& enqueue);

 private:
  double slowest_median(std::vector<double> times);
  void meet();

  Rank& rank_;
  cu::DevicePointer meeting_;
  Event events_[2];
};

double Meter::slowest_median(std::vector<double> times) {
  std::vector<double> flat(times.size() * rank_.size);
  rank_.board.exchange(rank_.rank, times.data(), times.size() * sizeof(double), flat.data());
  for (size_t i = 0; i < times.size(); ++i) {
    for (uint32_t r = 0; r < rank_.size; ++r) {
      times[i] = std::max(times[i], flat[r * times.size() + i]);
    }
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void Meter::meet() {
  rank_.kernels->delay(rank_.stream, 60000);
  muster_call call = rank_.call(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_MAX, 1, meeting_, meeting_);
  if (const std::string cause = rank_.execute(call); !cause.empty()) rank_.board.fail(cause);
}

Times Meter::measure(muster_op op, uint64_t bytes, bool known, const Enqueue& enqueue) {
  const uint64_t count = count_of(op, bytes, rank_.size);
  std::vector<cu::DevicePointer> sends;
  std::vector<cu::DevicePointer> recvs;
  for (int i = 0; i < kPairs; ++i) {
    sends.push_back(rank_.allocate(bytes));
    recvs.push_back(rank_.allocate(recv_bytes(op, bytes, rank_.size)));
    MUSTER_MUST(test_driver().fill(sends.back(), 0, bytes, rank_.stream));
  }
  std::vector<void*> registrations;
  for (int i = 0; known && i < 2 * kPairs; ++i) {
    const bool is_send = i < kPairs;
    registrations.push_back(nullptr);
    const std::string cause = rank_.make_known(is_send ? sends[i] : recvs[i - kPairs],
                                               is_send ? bytes : recv_bytes(op, bytes, rank_.size),
                                               &registrations.back());
    if (!cause.empty()) rank_.board.fail(cause);
  }
  const int operations = operations_of(bytes);
  const auto all = [&](int n) {
    for (int i = 0; i < n; ++i) enqueue(op, count, sends[i % kPairs], recvs[i % kPairs]);
  };
  all(kPairs);
  rank_.synchronize();
  const Exec exec = rank_.capture([&] { all(operations); });
  Times result;
  std::vector<double> times;
  for (int replay = -2; replay < kReplays; ++replay) {
    rank_.board.barrier();
    meet();
    MUSTER_MUST(test_driver().event_record(events_[0], rank_.stream));
    MUSTER_MUST(test_driver().graph_launch(exec, rank_.stream));
    MUSTER_MUST(test_driver().event_record(events_[1], rank_.stream));
    rank_.synchronize();
    float ms = 0;
    MUSTER_MUST(test_driver().event_elapsed(&ms, events_[0], events_[1]));
    if (replay >= 0) times.push_back(ms * 1000.0 / operations);
  }
  result.graph_us = slowest_median(times);
  MUSTER_MUST(test_driver().exec_destroy(exec));
  if (bytes <= uint64_t{1} << 20) {
    std::vector<double> host;
    std::vector<double> whole;
    for (int round = 0; round < 5; ++round) {
      rank_.board.barrier();
      const auto start = std::chrono::steady_clock::now();
      all(200);
      const auto enqueued = std::chrono::steady_clock::now();
      rank_.synchronize();
      const auto end = std::chrono::steady_clock::now();
      host.push_back(std::chrono::duration<double, std::micro>(enqueued - start).count() / 200);
      whole.push_back(std::chrono::duration<double, std::micro>(end - start).count() / 200);
    }
    result.host_us = slowest_median(host);
    result.eager_us = slowest_median(whole);
  }
  for (void* const registration : registrations) rank_.forget(registration);
  rank_.board.barrier();
  for (const cu::DevicePointer p : sends) rank_.release(p);
  for (const cu::DevicePointer p : recvs) rank_.release(p);
  return result;
}

// Rows of the fused operation, tokens of 8192 elements.
void print_fused(Rank& rank, const std::string& label, const BenchSpec& spec) {
  constexpr uint64_t kHidden = 8192;
  Meter meter(rank);
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = kHidden;
  fused.epsilon = 1e-5;
  const uint64_t most = spec.tokens.back() * kHidden * kElement;
  const cu::DevicePointer residual = rank.allocate(most);
  const cu::DevicePointer weight = rank.allocate(kHidden * kElement);
  MUSTER_MUST(test_driver().fill(residual, 0, most, rank.stream));
  MUSTER_MUST(test_driver().fill(weight, 0, kHidden * kElement, rank.stream));
  fused.residual = reinterpret_cast<const void*>(residual);
  fused.residual_out = reinterpret_cast<void*>(residual);
  fused.weight = reinterpret_cast<const void*>(weight);
  for (const uint64_t tokens : spec.tokens) {
    const auto enqueue = [&](muster_op op, uint64_t count, cu::DevicePointer send,
                             cu::DevicePointer recv) {
      muster_call call = rank.call(op, MUSTER_BF16, MUSTER_SUM, count, send, recv);
      call.fused = &fused;
      if (const std::string cause = rank.execute(call); !cause.empty()) rank.board.fail(cause);
    };
    const Times t =
        meter.measure(MUSTER_FUSED_ALL_REDUCE_RMSNORM, tokens * kHidden * kElement, false, enqueue);
    if (rank.rank != 0) continue;
    std::printf("row %-14s %-44s %10llu tokens  graph %9.2f us\n", "fused", label.c_str(),
                static_cast<unsigned long long>(tokens), t.graph_us);
    std::fflush(stdout);
  }
  rank.release(residual);
  rank.release(weight);
}

void print_rows(Rank& rank, const std::string& label, const BenchSpec& spec,
                const Enqueue& enqueue) {
  Meter meter(rank);
  for (const muster_op op : kOps) {
    for (uint64_t bytes = spec.from; bytes <= spec.to; bytes *= spec.factor) {
      if (std::find(spec.ops.begin(), spec.ops.end(), op) == spec.ops.end()) continue;
      const Times t = meter.measure(op, bytes, spec.known, enqueue);
      if (rank.rank != 0) continue;
      std::printf("row %-14s %-44s %10llu B  graph %9.2f us", muster_op_name(op), label.c_str(),
                  static_cast<unsigned long long>(bytes), t.graph_us);
      if (t.host_us >= 0) std::printf("  host %6.2f  eager %7.2f", t.host_us, t.eager_us);
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

}  // namespace

void benchmark(Rank& rank, const std::string& label, const BenchSpec& spec) {
  print_rows(rank, label, spec,
             [&](muster_op op, uint64_t count, cu::DevicePointer send, cu::DevicePointer recv) {
               const muster_redop redop = op == MUSTER_ALL_REDUCE || op == MUSTER_REDUCE_SCATTER
                                              ? MUSTER_SUM
                                              : MUSTER_REDOP_NONE;
               muster_call call = rank.call(op, MUSTER_BF16, redop, count, send, recv);
               if (spec.known) call.flags |= MUSTER_CALL_SYMMETRIC;
               const std::string cause = rank.execute(call);
               if (!cause.empty()) rank.board.fail(cause);
             });
  rank.board.pass();
}

void benchmark_fused(Rank& rank, const std::string& label, const BenchSpec& spec) {
  print_fused(rank, label, spec);
  rank.board.pass();
}

void benchmark_nccl(Rank& rank, const BenchSpec& spec) {
  Nccl nccl(rank);
  if (!nccl.missing().empty()) {
    if (rank.rank == 0) std::printf("NCCL is not measured: %s\n", nccl.missing().c_str());
    return;
  }
  print_rows(rank, "nccl " + std::to_string(nccl.version()), spec,
             [&](muster_op op, uint64_t count, cu::DevicePointer send, cu::DevicePointer recv) {
               nccl.run(op, count, send, recv);
             });
  rank.board.pass();
}

}  // namespace muster::peer_test
