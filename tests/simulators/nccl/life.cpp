// How communicators are made and ended.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/simulators/nccl/comm.hpp"

using namespace muster::nccl;
using namespace muster::simulators;

#ifndef SIMULATED_VERSION
#define SIMULATED_VERSION 22809
#endif

extern "C" __attribute__((visibility("default"))) void simulatedSwitch(const char* name,
                                                                       const char* value) {
  const std::lock_guard<std::mutex> lock(switches().mutex);
  switches().values[name] = value;
}

// The configuration that the last communicator was made with, as much of it as was given.
static Config last_config{};
static std::mutex last_config_mutex;

extern "C" __attribute__((visibility("default"))) void simulatedConfig(Config* out) {
  const std::lock_guard<std::mutex> lock(last_config_mutex);
  *out = last_config;
}

SIMULATED ncclGetVersion(int* version) {
  SIMULATED_FAILURE("ncclGetVersion");
  *version = number("SIMULATED_NCCL_VERSION", SIMULATED_VERSION);
  return kSuccess;
}

extern "C" __attribute__((visibility("default"))) const char* ncclGetErrorString(Result result) {
  switch (result) {
    case kSuccess:
      return "no error";
    case kUnhandledCudaError:
      return "unhandled cuda error";
    case kSystemError:
      return "unhandled system error";
    case kInternalError:
      return "internal error";
    case kInvalidArgument:
      return "invalid argument";
    case kInvalidUsage:
      return "invalid usage";
    case kRemoteError:
      return "remote process exited or there was a network error";
    case kInProgress:
      return "NCCL operation in progress";
    default:
      return "unknown result code";
  }
}

extern "C" __attribute__((visibility("default"))) const char* ncclGetLastError(Comm) {
  return last_error().c_str();
}

SIMULATED ncclGetUniqueId(UniqueId* id) {
  SIMULATED_FAILURE("ncclGetUniqueId");
  static std::atomic<uint64_t> last{0};
  std::memset(id, 0, sizeof(*id));
  const uint64_t values[] = {0x6e63636c, static_cast<uint64_t>(getpid()), ++last};
  std::memcpy(id->internal, values, sizeof(values));
  return kSuccess;
}

SIMULATED ncclCommInitRankConfig(Comm* out, int size, UniqueId id, int rank, Config* config) {
  SIMULATED_FAILURE("ncclCommInitRankConfig");
  const int version = number("SIMULATED_NCCL_VERSION", SIMULATED_VERSION);
  if (config->magic != kConfigMagic || config->size < 48) {
    last_error() = "ncclConfig_t argument not initialized via NCCL_CONFIG_INITIALIZER";
    return kInvalidArgument;
  }
  if (config->version > static_cast<unsigned>(version) || config->min_ctas == 0 ||
      config->max_ctas == 0 ||
      config->min_ctas > config->max_ctas) {  // also where the most is undefined, as NCCL does
    last_error() = "invalid config";
    return kInvalidArgument;
  }
  const int device = current_device();
  if (device < 0) {
    last_error() = "no context is current";
    return kUnhandledCudaError;
  }
  {
    const std::lock_guard<std::mutex> lock(last_config_mutex);
    std::memcpy(&last_config, config, std::min(config->size, sizeof(last_config)));
  }
  auto comm = std::make_shared<SimulatedComm>();
  comm->clique = Clique::of(std::string(id.internal, sizeof(id.internal)), size);
  comm->rank = rank;
  comm->size = size;
  comm->blocking = config->blocking != 0;
  *out = keep(comm);
  if (number("SIMULATED_NCCL_HANG_INIT", -1) != rank) {
    last_error() = comm->clique->join(rank, device, version);
    if (!last_error().empty()) return kInvalidUsage;
  }
  if (comm->blocking) return comm->clique->wait_complete(comm->aborted) ? kSuccess : kInternalError;
  comm->busy = true;
  return kInProgress;
}

SIMULATED ncclCommGetAsyncError(Comm handle, Result* result) {
  SIMULATED_FAILURE("ncclCommGetAsyncError");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  *result = comm->async;
  if (const int wanted = number("SIMULATED_NCCL_ASYNC", 0)) *result = wanted;
  if (*result != kSuccess || comm->blocking) return kSuccess;
  // The first time that it is asked the call is still under way, the second time it is over.
  if (!comm->clique->complete() || comm->busy.exchange(false)) *result = kInProgress;
  return kSuccess;
}

SIMULATED ncclCommFinalize(Comm handle) {
  SIMULATED_FAILURE("ncclCommFinalize");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  if (comm->blocking) return kSuccess;
  comm->busy = true;
  return kInProgress;
}

SIMULATED ncclCommDestroy(Comm handle) {
  SIMULATED_FAILURE("ncclCommDestroy");
  if (comm_of(handle) == nullptr) return kInvalidArgument;
  while (number("SIMULATED_NCCL_HANG_DESTROY", 0) != 0) usleep(1000);
  forget(handle);
  return kSuccess;
}

SIMULATED ncclCommAbort(Comm handle) {
  SIMULATED_FAILURE("ncclCommAbort");
  const auto comm = comm_of(handle);
  if (comm == nullptr) return kInvalidArgument;
  comm->clique->abort(comm->aborted);
  forget(handle);
  return kSuccess;
}

SIMULATED ncclRedOpCreatePreMulSum(RedOp* op, void* scalar, Datatype datatype, int residence,
                                   Comm handle) {
  SIMULATED_FAILURE("ncclRedOpCreatePreMulSum");
  const auto comm = comm_of(handle);
  if (comm == nullptr || residence != kScalarHostImmediate || bytes_of(datatype) == 0)
    return kInvalidArgument;
  Reduction reduction;
  reduction.scaled = true;
  std::memcpy(reduction.scalar, scalar, bytes_of(datatype));
  comm->scaled[++comm->last_op] = reduction;
  *op = comm->last_op;
  return kSuccess;
}

SIMULATED ncclRedOpDestroy(RedOp op, Comm handle) {
  const auto comm = comm_of(handle);
  return comm == nullptr || comm->scaled.erase(op) == 0 ? kInvalidArgument : kSuccess;
}
