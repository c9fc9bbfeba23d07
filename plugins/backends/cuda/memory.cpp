#include "plugins/backends/cuda/memory.hpp"

#include <string>
#include <vector>

namespace muster::cuda {
namespace {

constexpr uint64_t kPage = 4096;

AllocationProperties properties_of(const Driver& driver, uint32_t device) {
  AllocationProperties properties{};
  properties.type = kAllocationPinned;
  properties.requested_handles = kHandleFileDescriptor;
  properties.location = {kLocationDevice, static_cast<int>(driver.handle_of(device))};
  // NCCL registers buffers with network cards only when they were made for that.
  properties.flags.rdma_capable =
      driver.attribute_of(device, kRdmaOfVirtualMemorySupported) != 0 ? 1 : 0;
  return properties;
}

std::string amount(uint64_t bytes, uint32_t device) {
  return " of " + std::to_string(bytes) + " bytes on device " + std::to_string(device);
}

}  // namespace

std::optional<uint32_t> DeviceMemory::device_of(const void* pointer) const {
  const Context context = contexts_.any();
  std::optional<Current> current;
  if (context != nullptr) current.emplace(driver_, context);
  unsigned type = 0;
  int managed = 0;
  int device = 0;
  // The driver knows no pointer that did not come from it, and says so by an error.
  if (driver_.pointer_attribute(&type, kPointerMemoryType, device_pointer(pointer)) != kSuccess)
    return {};
  if (type != kTypeDevice) {
    if (driver_.pointer_attribute(&managed, kPointerIsManaged, device_pointer(pointer)) !=
            kSuccess ||
        managed == 0) {
      return {};
    }
  }
  driver_.check(driver_.pointer_attribute(&device, kPointerDevice, device_pointer(pointer)),
                "cuPointerGetAttribute");
  return static_cast<uint32_t>(device);
}

void* DeviceMemory::keep(void* pointer, const Piece& piece) {
  const std::lock_guard<std::mutex> lock(mutex_);
  pieces_[pointer] = piece;
  return pointer;
}

DeviceMemory::Piece DeviceMemory::place(uint32_t device, MemoryHandle handle, uint64_t bytes,
                                        size_t alignment) {
  Piece piece{0, bytes, handle};
  Result result = driver_.address_reserve(&piece.begin, bytes, alignment, 0, 0);
  const char* step = "cuMemAddressReserve";
  bool mapped = false;
  if (result == kSuccess) {
    step = "cuMemMap";
    result = driver_.memory_map(piece.begin, bytes, 0, handle, 0);
    mapped = result == kSuccess;
  }
  if (result == kSuccess) {
    std::vector<MemoryAccess> access;
    const uint32_t count = driver_.count_devices();
    for (uint32_t other = 0; other < count; ++other) {
      int reaches = other == device ? 1 : 0;
      if (other != device) {
        driver_.device_can_access_peer(&reaches, driver_.handle_of(other),
                                       driver_.handle_of(device));
      }
      if (reaches != 0)
        access.push_back({{kLocationDevice, driver_.handle_of(other)}, kAccessReadWrite});
    }
    step = "cuMemSetAccess";
    result = driver_.memory_set_access(piece.begin, bytes, access.data(), access.size());
  }
  if (result == kSuccess) return piece;
  if (mapped) driver_.memory_unmap(piece.begin, bytes);
  if (piece.begin != 0) driver_.address_free(piece.begin, bytes);
  driver_.memory_release(handle);
  driver_.fail(result, step + amount(bytes, device));
}

std::optional<DeviceMemory::Piece> DeviceMemory::create(uint32_t device, uint64_t bytes) {
  if (driver_.attribute_of(device, kVirtualMemorySupported) == 0 ||
      driver_.attribute_of(device, kFileDescriptorsSupported) == 0) {
    return {};
  }
  const AllocationProperties properties = properties_of(driver_, device);
  size_t unit = 0;
  driver_.check(driver_.memory_granularity(&unit, &properties, kGranularityRecommended),
                "cuMemGetAllocationGranularity");
  const uint64_t rounded = (bytes + unit - 1) / unit * unit;
  MemoryHandle handle = 0;
  const Result result = driver_.memory_create(&handle, rounded, &properties, 0);
  // Where such pieces are forbidden (some containers, virtual machines) the plain way is left.
  if (result == kNotSupported || result == kNotPermitted) return {};
  if (result != kSuccess) driver_.fail(result, "cuMemCreate" + amount(rounded, device));
  return place(device, handle, rounded, unit);
}

void* DeviceMemory::allocate(uint32_t device, uint64_t bytes) {
  const Current current(driver_, contexts_.of(device));
  const BesideCapture beside(driver_);
  if (bytes > UINT64_MAX / 2) {
    throw Error(MUSTER_OUT_OF_RANGE, "no device has" + amount(bytes, device),
                "look for a negative number that became unsigned");
  }
  if (const std::optional<Piece> piece = create(device, bytes == 0 ? 1 : bytes))
    return keep(host_pointer(piece->begin), *piece);
  Piece plain;
  plain.bytes = bytes + kPage;
  const Result result = driver_.memory_allocate(&plain.begin, plain.bytes);
  if (result != kSuccess) driver_.fail(result, "cuMemAlloc" + amount(bytes, device));
  return keep(host_pointer((plain.begin + kPage - 1) / kPage * kPage), plain);
}

void DeviceMemory::free(uint32_t device, void* pointer) {
  Piece piece;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = pieces_.find(pointer);
    if (found == pieces_.end()) {
      throw Error(MUSTER_INVALID_ARGUMENT, "memory is freed that was not allocated here",
                  "free what allocate gave, once");
    }
    piece = found->second;
    pieces_.erase(found);
  }
  const Current current(driver_, contexts_.of(device));
  const BesideCapture beside(driver_);
  if (!piece.handle) {  // cuMemFree waits by itself
    driver_.check(driver_.memory_free(piece.begin), "cuMemFree");
    return;
  }
  driver_.check(driver_.context_synchronize(), "cuCtxSynchronize before memory is freed");
  driver_.check(driver_.memory_unmap(piece.begin, piece.bytes), "cuMemUnmap");
  driver_.check(driver_.address_free(piece.begin, piece.bytes), "cuMemAddressFree");
  driver_.check(driver_.memory_release(*piece.handle), "cuMemRelease");
}

void DeviceMemory::pin(uint32_t device, void* pointer, uint64_t bytes) {
  const Current current(driver_, contexts_.of(device));
  const BesideCapture beside(driver_);
  driver_.check(driver_.host_register(pointer, bytes, kHostRegisterPortable), "cuMemHostRegister");
}

void DeviceMemory::unpin(uint32_t device, void* pointer) {
  const Current current(driver_, contexts_.of(device));
  const BesideCapture beside(driver_);
  driver_.check(driver_.host_unregister(pointer), "cuMemHostUnregister");
}

}  // namespace muster::cuda
