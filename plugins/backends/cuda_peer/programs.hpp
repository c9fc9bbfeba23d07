// The programs that the kernels come in: what a group of one size needs, how each is compiled, and
// the kernels by name.
#ifndef MUSTER_PLUGINS_CUDA_PEER_PROGRAMS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_PROGRAMS_HPP

#include <string>
#include <vector>

#include "muster/types.h"
#include "plugins/backends/cuda_peer/cubin_cache.hpp"

namespace muster::cuda_peer {

// Kernels of reductions come per element type, those of moves once.
enum class Kernel : unsigned {
  kOneShotPush,
  kOneShotPushWide,
  kTwoShotPush,
  kReduceScatterPush,
  kAllReduceStaged,
  kReduceScatterStaged,
  kAllReducePull,
  kReduceScatterPull,
  kFusedPush,
  kFusedPushRows,
  kAllGatherPush,
  kAllToAllPush,
  kBroadcastPush,
  kAllGatherStaged,
  kAllToAllStaged,
  kBroadcastStaged,
  kAllGatherPull,
  kAllToAllPull,
  kBroadcastPull,
  kEnd
};
constexpr unsigned kKernels = static_cast<unsigned>(Kernel::kEnd);
const char* kernel_symbol(Kernel kernel);
constexpr bool is_move(Kernel kernel) { return kernel >= Kernel::kAllGatherPush; }

struct ProgramKey {
  muster_dtype dtype;        // MUSTER_DTYPE_NONE: the moves
  unsigned ranks;            // 2 to 8
  std::string architecture;  // "sm_90"
};
// All that a group needs.
std::vector<ProgramKey> programs_of(unsigned ranks, const std::string& architecture);

std::vector<std::string> program_flags(const ProgramKey& key);
CubinKey cubin_key(const ProgramKey& key, const std::string& nvrtc_version);
Compiled compile_program(const ProgramKey& key);
// Out of the cache, or built into it.
std::string cubin_of(const ProgramKey& key, const CubinCache& cache);

}  // namespace muster::cuda_peer

#endif
