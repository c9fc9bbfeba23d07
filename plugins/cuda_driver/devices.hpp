// What a process sees of its devices, for facts: made without a context. Thread rule: any thread.
#ifndef MUSTER_PLUGINS_CUDA_DRIVER_DEVICES_HPP
#define MUSTER_PLUGINS_CUDA_DRIVER_DEVICES_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "plugins/cuda_driver/driver.hpp"

namespace muster::cuda {

struct SeenDevice {
  std::string uuid;  // "GPU-<32 hex digits with dashes>", as nvidia-smi -L prints it
  std::string name;
  uint32_t capability;  // 90 for 9.0
};

// By the index that the process knows them by. Throws Error.
std::vector<SeenDevice> seen_devices(const Driver& driver);

// "13.0"
std::string driver_version_text(const Driver& driver);

}  // namespace muster::cuda

#endif
