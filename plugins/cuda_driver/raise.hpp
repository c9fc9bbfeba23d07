// The driver's errors on their way to a plugin's boundary.
#ifndef MUSTER_PLUGINS_CUDA_DRIVER_RAISE_HPP
#define MUSTER_PLUGINS_CUDA_DRIVER_RAISE_HPP

#include <utility>

#include "muster/plugin.hpp"
#include "plugins/cuda_driver/driver.hpp"

namespace muster::cuda {

// Runs a body; an Error becomes a plugin::Failure of the same code, cause and remedy.
template <typename Body>
decltype(auto) raising(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const Error& error) {
    plugin::fail(error.code(), error.what(), error.remedy());
  }
}

}  // namespace muster::cuda

#endif
