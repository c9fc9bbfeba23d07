// The programs that the kernels come in: what a group of one size needs, how each is compiled, and
// the kernels by name. A program is a variant of family "cuda_peer/1" (muster/variants.h).
//
// Any thread.
#ifndef MUSTER_PLUGINS_CUDA_PEER_PROGRAMS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_PROGRAMS_HPP

#include <string>
#include <vector>

#include "muster/types.h"
#include "muster/variants.h"
#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {

// Kernels of reductions come per element type, those of moves once.
enum class Kernel : unsigned {
  kOneShotPush,
  kMarkedPush,
  kMarkedPushStream,
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

// As facts name it: "moves", "reductions.bf16".
std::string program_name(const ProgramKey& key);

std::vector<std::string> program_flags(const ProgramKey& key);
// "nvrtc-13.0"; "" where there is none.
std::string toolchain();

// A program as a variant.
class Program {
 public:
  explicit Program(const ProgramKey& key);
  const std::string& source() const { return source_; }
  // Valid as long as this.
  muster_variant variant() const;

 private:
  ProgramKey key_;
  std::string source_;  // digest of sources and flags
  std::string toolchain_;
};
// The program that a variant is; throws INVALID_ARGUMENT when it is of other sources, or no program
// of this backend at all.
ProgramKey program_of(const muster_variant& variant);

Compiled compile_program(const ProgramKey& key);
// The same; throws UNAVAILABLE with the compiler's words when it fails.
Compiled built_cubin(const ProgramKey& key);

}  // namespace muster::cuda_peer

#endif
