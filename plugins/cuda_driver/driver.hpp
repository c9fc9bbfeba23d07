// The CUDA driver, opened at run time: a table of its functions, and its errors in words.
//
// Loaded once per process and never closed, as the driver's own state is process-wide too; nothing
// of a rank is kept here. Thread rule: any thread. Loading makes no context and touches no device;
// `initialise` calls cuInit, which makes none either. As what cudart does with cuGetProcAddress.
#ifndef MUSTER_PLUGINS_CUDA_DRIVER_DRIVER_HPP
#define MUSTER_PLUGINS_CUDA_DRIVER_DRIVER_HPP

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "muster/status.h"
#include "plugins/cuda_driver/api.hpp"

namespace muster::cuda {

// A failed call of the driver, or a driver that is missing.
class Error : public std::runtime_error {
 public:
  Error(muster_code code, const std::string& cause, std::string remedy)
      : std::runtime_error(cause), code_(code), remedy_(std::move(remedy)) {}
  muster_code code() const { return code_; }
  const std::string& remedy() const { return remedy_; }

 private:
  muster_code code_;
  std::string remedy_;
};

class Driver {
 public:
  static constexpr const char* kLibrary = "libcuda.so.1";

  // The process's driver. Throws Error (UNAVAILABLE) naming library and symbol when there is none
  // that can be used, again at each call.
  static const Driver& get();
  // The same, after cuInit. Throws as well where the driver sees no device.
  static const Driver& initialised();

  // A library by path, for tests of what may be missing in one.
  explicit Driver(const std::string& library);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // "CUDA_ERROR_OUT_OF_MEMORY (out of memory)".
  std::string describe(Result result) const;
  // Throws unless the call succeeded: "cuMemCreate of 4096 bytes on device 0: CUDA_ERROR_...".
  void check(Result result, const char* what) const {
    if (result != kSuccess) fail(result, what);
  }
  [[noreturn]] void fail(Result result, const std::string& what) const;

  // Of an initialised driver. How many devices this process sees.
  uint32_t count_devices() const;
  // Throws INVALID_ARGUMENT for a device that the process does not see.
  DeviceHandle handle_of(uint32_t device) const;
  // 0 for an attribute that the driver does not know.
  int attribute_of(uint32_t device, int attribute) const;

#define MUSTER_CUDA_FUNCTION(name, symbol, parameters) Result(*name) parameters = nullptr;
#define MUSTER_CUDA_OPTIONAL(name, symbol, parameters) Result(*name) parameters = nullptr;
#define MUSTER_CUDA_KERNELS(name, symbol, parameters) Result(*name) parameters = nullptr;
#include "plugins/cuda_driver/functions.def"
#undef MUSTER_CUDA_FUNCTION
#undef MUSTER_CUDA_OPTIONAL
#undef MUSTER_CUDA_KERNELS

  // Throws UNAVAILABLE with the symbols that running kernels needs and this driver lacks.
  void require_kernels() const;

 private:
  void initialise() const;
  std::string version_text() const;

  std::string library_;
  std::string missing_for_kernels_;
  mutable std::once_flag initialised_;
  mutable Result init_result_ = kNotInitialized;
};

}  // namespace muster::cuda

#endif
