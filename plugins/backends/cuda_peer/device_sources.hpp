// The kernels' sources, which are built into this plugin.
#ifndef MUSTER_PLUGINS_CUDA_PEER_DEVICE_SOURCES_HPP
#define MUSTER_PLUGINS_CUDA_PEER_DEVICE_SOURCES_HPP

#include <vector>

#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {

// Headers and programs, by the names that they include each other with.
const std::vector<DeviceSource>& device_sources();

}  // namespace muster::cuda_peer

#endif
