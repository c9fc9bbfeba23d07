// The devices' primary contexts: those that every CUDA program and library of the process shares.
//
// Retained when a device is used first, released with the object; so whoever only looks makes none.
// Thread rule: any thread.
#ifndef MUSTER_PLUGINS_CUDA_DRIVER_CONTEXTS_HPP
#define MUSTER_PLUGINS_CUDA_DRIVER_CONTEXTS_HPP

#include <cstdint>
#include <map>
#include <mutex>

#include "plugins/cuda_driver/driver.hpp"

namespace muster::cuda {

class Contexts {
 public:
  explicit Contexts(const Driver& driver) : driver_(driver) {}
  ~Contexts();
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  const Driver& driver() const { return driver_; }
  // Throws Error when the device does not exist or its context cannot be made.
  Context of(uint32_t device);
  // Any that was retained before, nullptr when there is none.
  Context any() const;

 private:
  const Driver& driver_;
  mutable std::mutex mutex_;
  std::map<uint32_t, Context> contexts_;
};

// Makes a context current on this thread while it lives. Costs one look when it is so already.
class Current {
 public:
  Current(const Driver& driver, Context context) : driver_(driver) {
    Context now = nullptr;
    if (driver.context_current(&now) == kSuccess && now == context) return;
    driver.check(driver.context_push(context), "cuCtxPushCurrent");
    pushed_ = true;
  }
  ~Current() {
    Context popped = nullptr;
    if (pushed_) driver_.context_pop(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Driver& driver_;
  bool pushed_ = false;
};

// While it lives, this thread may allocate and query although another stream of the process is
// being captured in a mode that forbids it. What it does must have nothing to do with the captured
// stream.
class BesideCapture {
 public:
  explicit BesideCapture(const Driver& driver) : driver_(driver) {
    driver_.exchange_capture_mode(&mode_);
  }
  ~BesideCapture() { driver_.exchange_capture_mode(&mode_); }
  BesideCapture(const BesideCapture&) = delete;
  BesideCapture& operator=(const BesideCapture&) = delete;

 private:
  const Driver& driver_;
  int mode_ = kCaptureRelaxed;
};

}  // namespace muster::cuda

#endif
