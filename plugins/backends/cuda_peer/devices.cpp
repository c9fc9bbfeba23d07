#include "plugins/backends/cuda_peer/devices.hpp"

#include <cstdio>

namespace muster::cuda_peer {

int attribute_of(cu::Device device, int attribute) {
  int value = 0;
  cu::driver().check(cu::driver().device_attribute(&value, attribute, device),
                     "cuDeviceGetAttribute");
  return value;
}

std::string architecture_of(cu::Device device) {
  return "sm_" + std::to_string(attribute_of(device, cu::kArchitectureMajor) * 10 +
                                attribute_of(device, cu::kArchitectureMinor));
}

std::string uuid_of(cu::Device device) {
  cu::Uuid uuid{};
  cu::driver().check(cu::driver().device_uuid(&uuid, device), "cuDeviceGetUuid");
  std::string text;
  for (const unsigned char byte : uuid.bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

Link link_between(cu::Device from, cu::Device to) {
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

}  // namespace muster::cuda_peer
