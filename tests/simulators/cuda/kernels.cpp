// Modules, functions and launches. Nothing runs: a launch is told to whoever listens. In a driver
// of its own (libcuda.so.1 of another folder), for a backend must not take these for kernels that
// work.
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "tests/simulators/cuda/launches.hpp"
#include "tests/simulators/cuda/state.hpp"

using namespace muster::cuda;
using namespace muster::simulators;

namespace {

std::mutex mutex;
LaunchListener listener = nullptr;

// A function is its name, kept for ever.
Function function_of(const char* name) {
  static auto& names = *new std::map<std::string, int>;
  const std::lock_guard<std::mutex> lock(mutex);
  return reinterpret_cast<Function>(const_cast<char*>(names.emplace(name, 0).first->first.c_str()));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void simulatedListen(LaunchListener heard) {
  const std::lock_guard<std::mutex> lock(mutex);
  listener = heard;
}

SIMULATED cuModuleLoadData(Module* module, const void* image) {
  SIMULATED_CONTEXT("cuModuleLoadData");
  *module = reinterpret_cast<Module>(const_cast<void*>(image));
  return image == nullptr ? kInvalidValue : kSuccess;
}
SIMULATED cuModuleUnload(Module) {
  SIMULATED_CONTEXT("cuModuleUnload");
  return kSuccess;
}
SIMULATED cuModuleGetFunction(Function* function, Module, const char* name) {
  SIMULATED_CONTEXT("cuModuleGetFunction");
  *function = function_of(name);
  return kSuccess;
}
SIMULATED cuFuncGetAttribute(int* value, int, Function) {
  SIMULATED_FAILURE("cuFuncGetAttribute");
  *value = 90;
  return kSuccess;
}
SIMULATED cuFuncSetAttribute(Function, int, int) {
  SIMULATED_FAILURE("cuFuncSetAttribute");
  return kSuccess;
}
SIMULATED cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function, int, size_t) {
  SIMULATED_FAILURE("cuOccupancyMaxActiveBlocksPerMultiprocessor");
  *blocks = 2;
  return kSuccess;
}

SIMULATED cuLaunchKernelEx(const LaunchConfig* config, Function function, void** parameters,
                           void**) {
  SIMULATED_CONTEXT("cuLaunchKernelEx");
  LaunchListener heard = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    heard = listener;
  }
  if (heard != nullptr) heard(*config, reinterpret_cast<const char*>(function), parameters);
  return kSuccess;
}

SIMULATED cuMemsetD8_v2(DevicePointer at, unsigned char value, size_t bytes) {
  SIMULATED_CONTEXT("cuMemsetD8");
  std::memset(host_pointer(at), value, bytes);
  return kSuccess;
}
SIMULATED cuMemHostAlloc(void** out, size_t bytes, unsigned) {
  SIMULATED_CONTEXT("cuMemHostAlloc");
  return posix_memalign(out, 4096, bytes) == 0 ? kSuccess : kOutOfMemory;
}
SIMULATED cuMemFreeHost(void* pointer) {
  SIMULATED_FAILURE("cuMemFreeHost");
  std::free(pointer);
  return kSuccess;
}
SIMULATED cuMemHostGetDevicePointer_v2(DevicePointer* out, void* pointer, unsigned) {
  SIMULATED_CONTEXT("cuMemHostGetDevicePointer");
  *out = device_pointer(pointer);
  return kSuccess;
}
