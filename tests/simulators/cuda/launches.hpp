// What a test hears of launches: `simulatedListen` of the driver that has them takes one of these.
// Called in the thread that launches, which has a context. Parameters live as long as the call.
#ifndef MUSTER_TESTS_SIMULATORS_CUDA_LAUNCHES_HPP
#define MUSTER_TESTS_SIMULATORS_CUDA_LAUNCHES_HPP

#include "plugins/cuda_driver/api.hpp"

namespace muster::simulators {

using LaunchListener = void (*)(const cuda::LaunchConfig& config, const char* function,
                                void* const* parameters);

}  // namespace muster::simulators

#endif
