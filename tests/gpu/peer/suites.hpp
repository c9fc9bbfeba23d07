// What a world goes through.
#ifndef MUSTER_TESTS_GPU_PEER_SUITES_HPP
#define MUSTER_TESTS_GPU_PEER_SUITES_HPP

#include "tests/gpu/peer/trial.hpp"

namespace muster::peer_test {

// Every operation, dtype, reduce operation and a list of counts, eagerly: out of place, in place,
// unaligned. largest: bytes of a rank's buffer.
void correctness(Rank& rank, uint64_t largest, Knowledge knowledge = Knowledge::kNone);
// Operands of which every bit is set, NaN: what kernels tell data by does not occur in them alone.
void all_bits_set(Rank& rank);
// Mixed operations captured into a graph, replayed a hundred times with new operands in between.
void graphs(Rank& rank);
// Captures whose buffers become known when they end, for a world that stages everything: one that
// succeeds, one that is aborted, and one after it.
void captured(Rank& rank);
// Memory that cannot be registered is refused on all ranks, with the cause.
void unknown_memory(Rank& rank);
// The fused all_reduce, residual add and RMSNorm.
void fused(Rank& rank);
// `operations` mixed calls in a row, half of them compared on the device.
void stress(Rank& rank, uint64_t operations);
// A rank that does not come: the others' kernels end by themselves, and the next call says so.
void absence(Rank& rank);

struct BenchSpec {
  uint64_t from = 1024;
  uint64_t to = uint64_t{256} << 20;
  uint64_t factor = 4;
  std::vector<muster_op> ops = {MUSTER_ALL_REDUCE};
  // The fused operation: sizes are those of 8192 elements of bf16 a token.
  std::vector<uint64_t> tokens = {1, 8, 32, 128, 512};
  bool known = false;  // in memory that all ranks know
};
// Rows of microseconds per operation of this backend as it is configured; rank 0 prints.
void benchmark(Rank& rank, const std::string& label, const BenchSpec& spec);
void benchmark_fused(Rank& rank, const std::string& label, const BenchSpec& spec);
void benchmark_nccl(Rank& rank, const BenchSpec& spec);

}  // namespace muster::peer_test

#endif
