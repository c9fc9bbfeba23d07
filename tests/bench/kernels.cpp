// Bytes per second of the host kernels: sums of two, four and eight sources, per instruction set
// and algorithm, beside memcpy; and averages of bool, whose sums are no counting. Bytes are those
// of the result.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/names.hpp"
#include "tests/unit/kernels/kernel_sources.hpp"

namespace {

using muster::KernelSource;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
// What is measured.
struct Pair {
  muster_dtype dtype;
  muster_redop redop;
};
constexpr Pair kPairs[] = {{MUSTER_F32, MUSTER_SUM},  {MUSTER_BF16, MUSTER_SUM},
                           {MUSTER_F16, MUSTER_SUM},  {MUSTER_U8, MUSTER_SUM},
                           {MUSTER_BOOL, MUSTER_SUM}, {MUSTER_BOOL, MUSTER_AVG}};

using Memory = std::unique_ptr<unsigned char, Free>;

Memory filled(uint64_t bytes) {
  Memory memory(static_cast<unsigned char*>(std::aligned_alloc(4096, bytes)));
  for (uint64_t i = 0; i < bytes; ++i) memory.get()[i] = static_cast<unsigned char>(i % 60);
  return memory;
}

void copy(benchmark::State& state) {
  const auto bytes = static_cast<uint64_t>(state.range(0));
  const Memory to = filled(bytes), from = filled(bytes);
  for (auto _ : state) {
    std::memcpy(to.get(), from.get(), bytes);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}

void combine(benchmark::State& state, muster_host_reduce kernel, muster_dtype dtype, uint32_t n) {
  const auto bytes = static_cast<uint64_t>(state.range(0));
  std::vector<Memory> memory;
  std::vector<const void*> sources;
  for (uint32_t s = 0; s <= n; ++s) {
    memory.push_back(filled(bytes));
    if (s < n) sources.push_back(memory.back().get());
  }
  for (auto _ : state) {
    kernel(memory[n].get(), sources.data(), n, bytes / muster_dtype_size(dtype), nullptr, n);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}

}  // namespace

int main(int argc, char** argv) {
  const auto sized = [](benchmark::internal::Benchmark* b) {
    b->Arg(64 << 10)->Arg(8 << 20)->Arg(64 << 20);
  };
  sized(benchmark::RegisterBenchmark("memcpy", copy));
  std::vector<std::unique_ptr<KernelSource>> kept;
  for (const std::string& name : KernelSource::names()) {
    kept.push_back(std::make_unique<KernelSource>(name));
    const KernelSource& source = *kept.back();
    if (!source.usable()) continue;
    for (const char* algorithm : {"cached", "streaming"}) {
      for (const Pair& pair : kPairs) {
        for (const uint32_t n : {2u, 4u, 8u}) {
          const muster_kernel_key key{MUSTER_KERNEL_KEY_SIZE,    pair.dtype, pair.redop, 0,
                                      MUSTER_FAMILY_HOST_REDUCE, algorithm,  nullptr};
          const auto kernel = reinterpret_cast<muster_host_reduce>(source.find(key));
          const std::string label = name + "/" + algorithm + "/" + muster::dtype_name(pair.dtype) +
                                    (pair.redop == MUSTER_SUM ? "" : "_avg") +
                                    "/sources:" + std::to_string(n);
          sized(benchmark::RegisterBenchmark(label.c_str(), [=](benchmark::State& state) {
            combine(state, kernel, pair.dtype, n);
          }));
        }
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
