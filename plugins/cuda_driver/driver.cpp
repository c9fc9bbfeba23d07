#include "plugins/cuda_driver/driver.hpp"

#include <dlfcn.h>

namespace muster::cuda {
namespace {

constexpr const char* kNoDriver =
    "install NVIDIA's driver, or in a container run it with the driver's libraries mounted";

template <typename Function>
void find(void* library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
}

muster_code code_of(Result result) {
  switch (result) {
    case kOutOfMemory:
      return MUSTER_RESOURCE_EXHAUSTED;
    case kInvalidValue:
    case kInvalidDevice:
    case kInvalidHandle:
      return MUSTER_INVALID_ARGUMENT;
    case kNoDevice:
    case kNotSupported:
    case kNotPermitted:
      return MUSTER_UNAVAILABLE;
    case kCaptureUnsupported:
    case kCaptureInvalidated:
      return MUSTER_FAILED_PRECONDITION;
    default:
      return MUSTER_INTERNAL;
  }
}

std::string remedy_of(Result result) {
  switch (result) {
    case kOutOfMemory:
      return "free device memory, or use smaller buffers; nvidia-smi shows who has it";
    case kNoDevice:
      return "look at nvidia-smi and CUDA_VISIBLE_DEVICES";
    case kIllegalAddress:
      return "the device's context is lost: end the process; compute-sanitizer finds the kernel";
    default:
      return "";
  }
}

}  // namespace

Driver::Driver(const std::string& library) : library_(library) {
  // Rationale: not RTLD_GLOBAL, for whoever else loads a library of the same prefix.
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    throw Error(MUSTER_UNAVAILABLE,
                library + " could not be opened: " + (why == nullptr ? "no reason given" : why),
                kNoDriver);
  }
  std::string missing;
  const auto require = [](const void* function, const char* symbol, std::string& lacking) {
    if (function == nullptr) lacking += std::string(lacking.empty() ? "" : ", ") + symbol;
  };
#define MUSTER_CUDA_FUNCTION(name, symbol, parameters) \
  find(handle, symbol, name);                          \
  require(reinterpret_cast<const void*>(name), symbol, missing);
#define MUSTER_CUDA_OPTIONAL(name, symbol, parameters) find(handle, symbol, name);
#define MUSTER_CUDA_KERNELS(name, symbol, parameters) \
  find(handle, symbol, name);                         \
  require(reinterpret_cast<const void*>(name), symbol, missing_for_kernels_);
#include "plugins/cuda_driver/functions.def"
#undef MUSTER_CUDA_FUNCTION
#undef MUSTER_CUDA_OPTIONAL
#undef MUSTER_CUDA_KERNELS
  if (missing.empty()) return;
  throw Error(MUSTER_UNAVAILABLE, library + version_text() + " lacks " + missing,
              "install a driver of CUDA 11.4 or later");
}

std::string Driver::version_text() const {
  int version = 0;
  if (driver_version != nullptr) driver_version(&version);
  return " (of CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10) +
         ")";
}

void Driver::require_kernels() const {
  if (missing_for_kernels_.empty()) return;
  throw Error(MUSTER_UNAVAILABLE, library_ + version_text() + " lacks " + missing_for_kernels_,
              "install a driver of CUDA 12 or later");
}

const Driver& Driver::get() {
  // Kept for ever: contexts and streams of other parts may end while the process exits. A failure
  // is tried again.
  static const Driver* const driver = new Driver(kLibrary);
  return *driver;
}

const Driver& Driver::initialised() {
  const Driver& driver = get();
  driver.initialise();
  return driver;
}

void Driver::initialise() const {
  std::call_once(initialised_, [this] { init_result_ = init(0); });
  check(init_result_, "cuInit");
}

std::string Driver::describe(Result result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (error_name(result, &name) != kSuccess || name == nullptr)
    return "CUDA error " + std::to_string(result);
  if (error_string(result, &text) != kSuccess || text == nullptr) return name;
  return std::string(name) + " (" + text + ")";
}

void Driver::fail(Result result, const std::string& what) const {
  throw Error(code_of(result), what + ": " + describe(result), remedy_of(result));
}

uint32_t Driver::count_devices() const {
  int count = 0;
  check(device_count(&count), "cuDeviceGetCount");
  return count < 0 ? 0 : static_cast<uint32_t>(count);
}

DeviceHandle Driver::handle_of(uint32_t device) const {
  const uint32_t count = count_devices();
  if (device >= count) {
    throw Error(MUSTER_INVALID_ARGUMENT,
                "there is no CUDA device " + std::to_string(device) + ", this process sees " +
                    std::to_string(count),
                "give a number below that; CUDA_VISIBLE_DEVICES decides what a process sees");
  }
  DeviceHandle handle = 0;
  check(device_get(&handle, static_cast<int>(device)), "cuDeviceGet");
  return handle;
}

int Driver::attribute_of(uint32_t device, int attribute) const {
  int value = 0;
  return device_attribute(&value, attribute, handle_of(device)) == kSuccess ? value : 0;
}

}  // namespace muster::cuda
