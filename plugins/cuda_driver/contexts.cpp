#include "plugins/cuda_driver/contexts.hpp"

#include <string>

namespace muster::cuda {

Contexts::~Contexts() {
  // At the end of the process the driver may have gone before; it says so, and there is nothing
  // left to release.
  for (const auto& [device, context] : contexts_) {
    DeviceHandle handle = 0;
    if (driver_.device_get(&handle, static_cast<int>(device)) == kSuccess)
      driver_.primary_release(handle);
  }
}

Context Contexts::of(uint32_t device) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = contexts_.find(device);
  if (found != contexts_.end()) return found->second;
  Context context = nullptr;
  const Result result = driver_.primary_retain(&context, driver_.handle_of(device));
  if (result != kSuccess)
    driver_.fail(result, "cuDevicePrimaryCtxRetain of device " + std::to_string(device));
  contexts_[device] = context;
  return context;
}

Context Contexts::any() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return contexts_.empty() ? nullptr : contexts_.begin()->second;
}

}  // namespace muster::cuda
