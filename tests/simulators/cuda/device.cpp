// Devices and contexts: as many as a variable says, each with a UUID of its own.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/simulators/cuda/state.hpp"

using namespace muster::cuda;
using namespace muster::simulators;

namespace {

std::atomic<bool> init_done{false};
thread_local std::vector<Context> stack;

// A context is its device's number plus one, so that it is not NULL.
Context context_of(int device) {
  return reinterpret_cast<Context>(static_cast<uintptr_t>(device + 1));
}

struct Named {
  int code;
  const char* name;
  const char* text;
};
constexpr Named kErrors[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kNotPermitted, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {kNotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {kCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {kCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
};

}  // namespace

namespace muster::simulators {

std::vector<int> visible_devices() {
  std::vector<int> all;
  for (int i = 0; i < number("SIMULATED_CUDA_DEVICES", 2); ++i) all.push_back(i);
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible == nullptr) return all;
  std::vector<int> seen;
  for (const char* at = visible; *at != '\0';) {
    const int index = std::atoi(at);
    if (index >= 0 && static_cast<size_t>(index) < all.size()) seen.push_back(index);
    at = std::strchr(at, ',');
    if (at == nullptr) break;
    ++at;
  }
  return seen;
}

bool initialised() { return init_done.load(); }

int current_device() {
  return stack.empty() || stack.back() == nullptr
             ? -1
             : static_cast<int>(reinterpret_cast<uintptr_t>(stack.back())) - 1;
}

}  // namespace muster::simulators

SIMULATED cuInit(unsigned flags) {
  SIMULATED_FAILURE("cuInit");
  if (flags != 0) return kInvalidValue;
  if (visible_devices().empty()) return kNoDevice;
  init_done = true;
  return kSuccess;
}

SIMULATED cuDriverGetVersion(int* version) {
  *version = number("SIMULATED_CUDA_VERSION", 12040);
  return kSuccess;
}

SIMULATED cuGetErrorName(int code, const char** out) {
  for (const Named& error : kErrors) {
    if (error.code == code) return *out = error.name, kSuccess;
  }
  *out = nullptr;
  return kInvalidValue;
}

SIMULATED cuGetErrorString(int code, const char** out) {
  for (const Named& error : kErrors) {
    if (error.code == code) return *out = error.text, kSuccess;
  }
  *out = nullptr;
  return kInvalidValue;
}

SIMULATED cuDeviceGetCount(int* count) {
  SIMULATED_FAILURE("cuDeviceGetCount");
  if (!initialised()) return kNotInitialized;
  *count = static_cast<int>(visible_devices().size());
  return kSuccess;
}

SIMULATED cuDeviceGet(DeviceHandle* device, int index) {
  SIMULATED_FAILURE("cuDeviceGet");
  if (!initialised()) return kNotInitialized;
  if (index < 0 || static_cast<size_t>(index) >= visible_devices().size()) return kInvalidDevice;
  *device = index;
  return kSuccess;
}

SIMULATED cuDeviceGetName(char* name, int bytes, DeviceHandle) {
  SIMULATED_FAILURE("cuDeviceGetName");
  std::snprintf(name, static_cast<size_t>(bytes), "Simulated GPU");
  return kSuccess;
}

SIMULATED cuDeviceGetUuid_v2(Uuid* uuid, DeviceHandle device) {
  SIMULATED_FAILURE("cuDeviceGetUuid");
  std::memset(uuid, 0xab, sizeof(*uuid));
  uuid->bytes[15] = static_cast<unsigned char>(visible_devices().at(static_cast<size_t>(device)));
  return kSuccess;
}

SIMULATED cuDeviceGetAttribute(int* value, int attribute, DeviceHandle) {
  SIMULATED_FAILURE("cuDeviceGetAttribute");
  const int capability = number("SIMULATED_CUDA_CAPABILITY", 90);
  switch (attribute) {
    case kComputeCapabilityMajor:
      return *value = capability / 10, kSuccess;
    case kComputeCapabilityMinor:
      return *value = capability % 10, kSuccess;
    case kVirtualMemorySupported:
    case kFileDescriptorsSupported:
      return *value = number("SIMULATED_CUDA_VMM", 1), kSuccess;
    case kRdmaOfVirtualMemorySupported:
      return *value = 1, kSuccess;
    case kMultiprocessors:
      return *value = 132, kSuccess;
    case kMostSharedBytes:
      return *value = 227 << 10, kSuccess;
    default:
      return kInvalidValue;
  }
}

SIMULATED cuDeviceCanAccessPeer(int* can, DeviceHandle device, DeviceHandle peer) {
  SIMULATED_FAILURE("cuDeviceCanAccessPeer");
  if (device == peer) return kInvalidDevice;
  *can = number("SIMULATED_CUDA_PEER", 1);
  return kSuccess;
}

SIMULATED cuDevicePrimaryCtxRetain(Context* context, DeviceHandle device) {
  SIMULATED_FAILURE("cuDevicePrimaryCtxRetain");
  *context = context_of(device);
  return kSuccess;
}

SIMULATED cuDevicePrimaryCtxRelease_v2(DeviceHandle) { return kSuccess; }

SIMULATED cuCtxGetCurrent(Context* context) {
  *context = stack.empty() ? nullptr : stack.back();
  return kSuccess;
}

SIMULATED cuCtxSetCurrent(Context context) {
  if (stack.empty()) stack.push_back(nullptr);
  stack.back() = context;
  return kSuccess;
}

SIMULATED cuCtxPushCurrent_v2(Context context) {
  SIMULATED_FAILURE("cuCtxPushCurrent");
  stack.push_back(context);
  return kSuccess;
}

SIMULATED cuCtxPopCurrent_v2(Context* context) {
  if (stack.empty()) return kInvalidContext;
  *context = stack.back();
  stack.pop_back();
  return kSuccess;
}
