#include "plugins/backends/cuda_peer/devices.hpp"

#include <cstdio>
#include <cstring>

namespace muster::cuda_peer {

int attribute_of(cu::DeviceHandle device, int attribute) {
  int value = 0;
  cu::driver().check(cu::driver().device_attribute(&value, attribute, device),
                     "cuDeviceGetAttribute");
  return value;
}

std::string architecture_of(cu::DeviceHandle device) {
  return "sm_" + std::to_string(attribute_of(device, cu::kComputeCapabilityMajor) * 10 +
                                attribute_of(device, cu::kComputeCapabilityMinor));
}

cu::Uuid uuid_of_device(cu::DeviceHandle device) {
  cu::Uuid uuid{};
  cu::driver().check(cu::driver().device_uuid(&uuid, device), "cuDeviceGetUuid");
  return uuid;
}

std::string uuid_of(cu::DeviceHandle device) {
  const cu::Uuid uuid = uuid_of_device(device);
  std::string text;
  for (const unsigned char byte : uuid.bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

Link link_between(cu::DeviceHandle from, cu::DeviceHandle to) {
  if (from == to) return Link::kSame;
  int access = 0;
  int atomics = 0;
  if (cu::driver().peer_attribute(&access, cu::kPeerAccess, from, to) != 0 || access == 0) {
    return Link::kNone;
  }
  // What only NVLink gives.
  const bool asked = cu::driver().peer_attribute(&atomics, cu::kPeerAtomics, from, to) == 0;
  return asked && atomics != 0 ? Link::kNvlink : Link::kPeer;
}

Link link_to(cu::DeviceHandle from, const cu::Uuid& to) {
  int count = 0;
  cu::driver().check(cu::driver().device_count(&count), "cuDeviceGetCount");
  for (int i = 0; i < count; ++i) {
    cu::DeviceHandle device = 0;
    cu::driver().check(cu::driver().device_get(&device, i), "cuDeviceGet");
    const cu::Uuid uuid = uuid_of_device(device);
    if (std::memcmp(uuid.bytes, to.bytes, sizeof(to.bytes)) == 0) return link_between(from, device);
  }
  return Link::kNone;
}

}  // namespace muster::cuda_peer
