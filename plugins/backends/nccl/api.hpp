// What muster needs of NCCL's API, declared here, so that no header of NCCL or CUDA is needed to
// build: types and constants with NCCL's own layout and values, the functions in functions.def. As
// nccl.h of 2.18 to 2.30.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_API_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_API_HPP

#include <climits>
#include <cstddef>

#include "plugins/cuda_driver/api.hpp"

namespace muster::nccl {

using Result = int;                   // ncclResult_t
using Comm = struct CommOfNccl*;      // ncclComm_t
using Window = struct WindowOfNccl*;  // ncclWindow_t
using Stream = cuda::Stream;          // cudaStream_t is the driver's CUstream
using Datatype = int;                 // ncclDataType_t
using RedOp = int;                    // ncclRedOp_t

enum : Result {
  kSuccess = 0,
  kUnhandledCudaError = 1,
  kSystemError = 2,
  kInternalError = 3,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7,
  kTimeout = 8,  // of 2.30 on
};

struct UniqueId {  // passed by value
  char internal[128];
};

enum : int { kScalarHostImmediate = 1 };
enum : int { kWindowSymmetric = 1 };

// ncclConfig_t. A library reads as much of it as `size` says, and of that only what `version` had:
// so one form serves them all. Its tail is left out where the version is older than the field.
struct Config {
  size_t size;
  unsigned magic;
  unsigned version;
  int blocking;
  int cga_cluster_size;
  int min_ctas;
  int max_ctas;
  const char* net_name;
  int split_share;
  // ---- 2.25 on ----
  int traffic_class;
  // ---- 2.27 on ----
  const char* comm_name;
  int collnet_enable;
  int cta_policy;
  int shrink_share;
  int nvls_ctas;
};
constexpr unsigned kConfigMagic = 0xcafebeef;
constexpr int kUndefined = INT_MIN;
static_assert(offsetof(Config, blocking) == 16 && offsetof(Config, split_share) == 40 &&
              offsetof(Config, comm_name) == 48 && sizeof(Config) == 72);

}  // namespace muster::nccl

#endif
