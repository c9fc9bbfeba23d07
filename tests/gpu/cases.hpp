// Which calls a backend of devices is tried with, and in which ways.
#ifndef MUSTER_TESTS_GPU_CASES_HPP
#define MUSTER_TESTS_GPU_CASES_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "tests/ranks/case.hpp"

namespace muster::gpu {

// How a call on device memory is made.
enum class Way : uint32_t {
  kStream,  // enqueued on a stream
  kHost,    // without a stream: waited for
  kPlan,    // frozen, replayed with other data
  kBatch,   // in a batch with messages around the ring
  kGraph,   // warmed up, captured, replayed with other data
  kEnd
};
const char* way_name(Way way);

struct DeviceCase {
  ranks::Case call;
  Way way = Way::kStream;
};
std::string text_of(const DeviceCase& c);

// Whether NCCL offers it, with option float_min_max. Written from NCCL's documentation, not from
// muster's plugin.
bool nccl_has(muster_op op, muster_dtype dtype, muster_redop redop);

// Every operation x dtype x reduce operation that NCCL has, every operation in every way, in and
// out of place, at small counts and those that hold the given bytes; the rest at random.
std::vector<DeviceCase> nccl_cases(uint32_t size, uint64_t seed,
                                   const std::vector<uint64_t>& bytes);

// Every operation x dtype x reduce operation of the host's memory, on a stream, as a host call,
// planned or in a batch: what is staged through the host where no backend serves devices.
std::vector<DeviceCase> staged_cases(uint32_t size, uint64_t seed, uint64_t largest);
// What a group of one rank copies, in all ways.
std::vector<DeviceCase> self_cases(uint64_t seed, uint64_t largest);

}  // namespace muster::gpu

#endif
