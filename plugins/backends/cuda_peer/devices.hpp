// What the driver says of devices and of the links between them, without a context.
#ifndef MUSTER_PLUGINS_CUDA_PEER_DEVICES_HPP
#define MUSTER_PLUGINS_CUDA_PEER_DEVICES_HPP

#include <string>

#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

// One letter, as facts carry it. Lines need kNvlink or kSame; stages also do with kPeer.
enum class Link : char { kSame = 'S', kNvlink = 'N', kPeer = 'P', kNone = '-' };

int attribute_of(cu::DeviceHandle device, int attribute);
std::string architecture_of(cu::DeviceHandle device);  // "sm_90"
cu::Uuid uuid_of_device(cu::DeviceHandle device);
std::string uuid_of(cu::DeviceHandle device);  // 32 hexadecimal digits
// What stores from one device to another take.
Link link_between(cu::DeviceHandle from, cu::DeviceHandle to);
// The same to a device by its uuid; kNone when this process does not see it.
Link link_to(cu::DeviceHandle from, const cu::Uuid& to);

}  // namespace muster::cuda_peer

#endif
