// What the simulated driver keeps: devices, contexts, and the rules of capture. Process-wide, as
// the driver's own.
#ifndef MUSTER_TESTS_SIMULATORS_CUDA_STATE_HPP
#define MUSTER_TESTS_SIMULATORS_CUDA_STATE_HPP

#include <vector>

#include "plugins/cuda_driver/api.hpp"
#include "tests/simulators/switches.hpp"

#define SIMULATED extern "C" __attribute__((visibility("default"))) int
// First in every function: the failure that a test wants.
#define SIMULATED_FAILURE(name) \
  if (const int failure = muster::simulators::injected("SIMULATED_CUDA_FAIL", name)) return failure
#define SIMULATED_CONTEXT(name) \
  SIMULATED_FAILURE(name);      \
  if (muster::simulators::current_device() < 0) return muster::cuda::kInvalidContext

namespace muster::simulators {

// The machine's devices that this process sees: CUDA_VISIBLE_DEVICES of SIMULATED_CUDA_DEVICES
// (2).
std::vector<int> visible_devices();
bool initialised();
// Of the context that is current on this thread; -1: none.
int current_device();

// Whether a call that may not be made beside a capture in the mode of this thread is forbidden now;
// it spoils the captures that forbid it, as the driver does.
bool forbidden_beside_capture();

}  // namespace muster::simulators

#endif
