#include "plugins/cuda_driver/devices.hpp"

#include <array>

namespace muster::cuda {
namespace {

std::string text_of(const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (size_t i = 0; i < sizeof(uuid.bytes); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid.bytes[i] >> 4];
    text += kDigits[uuid.bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::vector<SeenDevice> seen_devices(const Driver& driver) {
  std::vector<SeenDevice> seen;
  const uint32_t count = driver.count_devices();
  for (uint32_t i = 0; i < count; ++i) {
    const DeviceHandle handle = driver.handle_of(i);
    Uuid uuid{};
    std::array<char, 128> name{};
    driver.check(driver.device_uuid(&uuid, handle), "cuDeviceGetUuid");
    driver.check(driver.device_name(name.data(), static_cast<int>(name.size() - 1), handle),
                 "cuDeviceGetName");
    const int major = driver.attribute_of(i, kComputeCapabilityMajor);
    const int minor = driver.attribute_of(i, kComputeCapabilityMinor);
    seen.push_back({text_of(uuid), name.data(), static_cast<uint32_t>(major * 10 + minor)});
  }
  return seen;
}

std::string driver_version_text(const Driver& driver) {
  int version = 0;
  driver.check(driver.driver_version(&version), "cuDriverGetVersion");
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace muster::cuda
