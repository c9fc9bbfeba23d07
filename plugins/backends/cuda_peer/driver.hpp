// The CUDA driver (plugins/cuda_driver) as this backend uses it, under one short name.
//
// Any thread. Failures are cuda::Error until the backend's boundary, where cuda::raising turns them
// into the plugin's.
#ifndef MUSTER_PLUGINS_CUDA_PEER_DRIVER_HPP
#define MUSTER_PLUGINS_CUDA_PEER_DRIVER_HPP

#include "plugins/cuda_driver/contexts.hpp"
#include "plugins/cuda_driver/driver.hpp"
#include "plugins/cuda_driver/raise.hpp"

namespace muster::cuda_peer::cu {

using namespace muster::cuda;

// Once ready_driver has succeeded in this process.
inline const Driver& driver() { return Driver::get(); }
// Initialised and able to run kernels; throws UNAVAILABLE with what is missing.
inline const Driver& ready_driver() {
  const Driver& ready = Driver::initialised();
  ready.require_kernels();
  return ready;
}

// Makes a context current, and lets this thread do what other threads' captures must not see, as
// long as the object lives.
class Current {
 public:
  explicit Current(Context context) : current_(driver(), context), beside_(driver()) {}

 private:
  cuda::Current current_;
  cuda::BesideCapture beside_;
};

}  // namespace muster::cuda_peer::cu

#endif
