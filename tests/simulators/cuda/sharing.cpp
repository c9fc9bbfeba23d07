// How processes and devices reach each other's memory: cudaIpc, peer access, allocations by an
// address in them. A handle of cudaIpc holds an address: all simulated ranks are of one process.
#include <cstring>
#include <map>
#include <mutex>

#include "tests/simulators/cuda/state.hpp"

using namespace muster::cuda;
using namespace muster::simulators;

namespace {

struct Opened {
  std::mutex mutex;
  std::map<DevicePointer, int> times;
};
Opened& opened() {
  static Opened* const opened = new Opened;
  return *opened;
}

}  // namespace

SIMULATED cuDeviceGetP2PAttribute(int* value, int attribute, DeviceHandle, DeviceHandle) {
  SIMULATED_FAILURE("cuDeviceGetP2PAttribute");
  if (attribute == kPeerAccess) return *value = number("SIMULATED_CUDA_PEER", 1), kSuccess;
  if (attribute == kPeerAtomics) return *value = number("SIMULATED_CUDA_NVLINK", 1), kSuccess;
  return kInvalidValue;
}

SIMULATED cuCtxEnablePeerAccess(Context, unsigned flags) {
  SIMULATED_CONTEXT("cuCtxEnablePeerAccess");
  return flags == 0 ? kPeerAccessAlreadyEnabled : kInvalidValue;
}

SIMULATED cuIpcGetMemHandle(IpcHandle* out, DevicePointer pointer) {
  SIMULATED_CONTEXT("cuIpcGetMemHandle");
  std::memset(out, 0, sizeof(*out));
  std::memcpy(out->bytes, &pointer, sizeof(pointer));
  return kSuccess;
}

SIMULATED cuIpcOpenMemHandle_v2(DevicePointer* out, IpcHandle handle, unsigned flags) {
  SIMULATED_CONTEXT("cuIpcOpenMemHandle");
  if (flags != kIpcPeerAccess) return kInvalidValue;
  std::memcpy(out, handle.bytes, sizeof(*out));
  const std::lock_guard<std::mutex> lock(opened().mutex);
  ++opened().times[*out];
  return kSuccess;
}

SIMULATED cuIpcCloseMemHandle(DevicePointer pointer) {
  SIMULATED_CONTEXT("cuIpcCloseMemHandle");
  const std::lock_guard<std::mutex> lock(opened().mutex);
  const auto found = opened().times.find(pointer);
  if (found == opened().times.end()) return kInvalidValue;
  if (--found->second == 0) opened().times.erase(found);
  return kSuccess;
}

// How many mappings of cudaIpc are open, for tests.
extern "C" __attribute__((visibility("default"))) int simulatedIpcMappings() {
  const std::lock_guard<std::mutex> lock(opened().mutex);
  int all = 0;
  for (const auto& [pointer, times] : opened().times) all += times;
  return all;
}
