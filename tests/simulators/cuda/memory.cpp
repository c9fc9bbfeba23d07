// Device memory, which is the host's here: plain, or pieces of memory files that other processes
// can map.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "tests/simulators/cuda/state.hpp"
#include "tests/simulators/cuda/stream.hpp"

using namespace muster::cuda;
using namespace muster::simulators;

namespace {

constexpr size_t kUnit = size_t{2} << 20;

struct Physical {
  int fd = -1;
  size_t bytes = 0;
  AllocationProperties properties{};
  ~Physical() { close(fd); }
};

struct Range {
  size_t bytes = 0;
  int device = -1;                     // -1: nothing is mapped
  std::shared_ptr<Physical> physical;  // none: cuMemAlloc
  bool accessible = false;
};

struct Known {
  std::mutex mutex;
  std::map<DevicePointer, Range> ranges;
  std::map<MemoryHandle, std::shared_ptr<Physical>> handles;
  std::map<void*, size_t> pinned;
  MemoryHandle last = 0;

  MemoryHandle keep(std::shared_ptr<Physical> physical) {
    handles[++last] = std::move(physical);
    return last;
  }
  Range* holding(DevicePointer pointer) {
    auto after = ranges.upper_bound(pointer);
    if (after == ranges.begin()) return nullptr;
    auto& [begin, range] = *--after;
    return pointer - begin < range.bytes ? &range : nullptr;
  }
};

Known& known() {
  static Known* const known = new Known;
  return *known;
}

}  // namespace

SIMULATED cuMemAlloc_v2(DevicePointer* out, size_t bytes) {
  SIMULATED_CONTEXT("cuMemAlloc");
  if (forbidden_beside_capture()) return kCaptureUnsupported;
  if (bytes == 0) return kInvalidValue;
  if (bytes > (size_t{1} << 40)) return kOutOfMemory;
  // 512 is what the driver gives; not more, so that nobody relies on more.
  void* memory = nullptr;
  if (posix_memalign(&memory, 512, bytes) != 0) return kOutOfMemory;
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().ranges[device_pointer(memory)] = {bytes, current_device(), nullptr, true};
  *out = device_pointer(memory);
  return kSuccess;
}

SIMULATED cuMemFree_v2(DevicePointer pointer) {
  SIMULATED_CONTEXT("cuMemFree");
  if (forbidden_beside_capture()) return kCaptureUnsupported;
  synchronize_device(current_device());
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto found = known().ranges.find(pointer);
  if (found == known().ranges.end() || found->second.physical != nullptr) return kInvalidValue;
  known().ranges.erase(found);
  free(host_pointer(pointer));
  return kSuccess;
}

SIMULATED cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned) {
  SIMULATED_CONTEXT("cuMemHostRegister");
  if (forbidden_beside_capture()) return kCaptureUnsupported;
  if (pointer == nullptr || bytes == 0) return kInvalidValue;
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().pinned[pointer] = bytes;
  return kSuccess;
}

SIMULATED cuMemHostUnregister(void* pointer) {
  SIMULATED_CONTEXT("cuMemHostUnregister");
  const std::lock_guard<std::mutex> lock(known().mutex);
  return known().pinned.erase(pointer) == 1 ? kSuccess : kInvalidValue;
}

// How many pieces of host memory are pinned now.
SIMULATED simulatedPinned() {
  const std::lock_guard<std::mutex> lock(known().mutex);
  return static_cast<int>(known().pinned.size());
}

SIMULATED cuPointerGetAttribute(void* out, int attribute, DevicePointer pointer) {
  SIMULATED_FAILURE("cuPointerGetAttribute");
  if (!initialised()) return kNotInitialized;
  const std::lock_guard<std::mutex> lock(known().mutex);
  const Range* const range = known().holding(pointer);
  if (range == nullptr || range->device < 0) return kInvalidValue;
  switch (attribute) {
    case kPointerMemoryType:
      *static_cast<unsigned*>(out) = kTypeDevice;
      return kSuccess;
    case kPointerHasIpc:
      *static_cast<int*>(out) = range->physical == nullptr ? 1 : 0;
      return kSuccess;
    case kPointerIsManaged:
      *static_cast<int*>(out) = 0;
      return kSuccess;
    case kPointerDevice:
      *static_cast<int*>(out) = range->device;
      return kSuccess;
    default:
      return kInvalidValue;
  }
}

SIMULATED cuMemGetAddressRange_v2(DevicePointer* begin, size_t* bytes, DevicePointer pointer) {
  SIMULATED_FAILURE("cuMemGetAddressRange");
  const std::lock_guard<std::mutex> lock(known().mutex);
  auto after = known().ranges.upper_bound(pointer);
  const Range* const range = known().holding(pointer);
  if (range == nullptr || range->device < 0) return kInvalidValue;
  *begin = (--after)->first;
  *bytes = range->bytes;
  return kSuccess;
}

SIMULATED cuMemGetAllocationGranularity(size_t* out, const AllocationProperties* properties, int) {
  SIMULATED_FAILURE("cuMemGetAllocationGranularity");
  if (properties->type != kAllocationPinned) return kInvalidValue;
  *out = kUnit;
  return kSuccess;
}

SIMULATED cuMemCreate(MemoryHandle* out, size_t bytes, const AllocationProperties* properties,
                      unsigned long long flags) {
  SIMULATED_FAILURE("cuMemCreate");
  if (forbidden_beside_capture()) return kCaptureUnsupported;
  if (bytes == 0 || bytes % kUnit != 0 || flags != 0) return kInvalidValue;
  if (properties->type != kAllocationPinned || properties->location.type != kLocationDevice)
    return kInvalidValue;
  if (bytes > (size_t{1} << 40)) return kOutOfMemory;
  auto made = std::make_shared<Physical>();
  made->fd = memfd_create("simulated-device-memory", MFD_CLOEXEC);
  if (made->fd < 0 || ftruncate(made->fd, static_cast<off_t>(bytes)) != 0) return kOutOfMemory;
  made->bytes = bytes;
  made->properties = *properties;
  const std::lock_guard<std::mutex> lock(known().mutex);
  *out = known().keep(std::move(made));
  return kSuccess;
}

SIMULATED cuMemRelease(MemoryHandle handle) {
  SIMULATED_FAILURE("cuMemRelease");
  const std::lock_guard<std::mutex> lock(known().mutex);
  return known().handles.erase(handle) == 0 ? kInvalidValue : kSuccess;
}

SIMULATED cuMemAddressReserve(DevicePointer* out, size_t bytes, size_t, DevicePointer,
                              unsigned long long flags) {
  SIMULATED_FAILURE("cuMemAddressReserve");
  if (bytes == 0 || bytes % kUnit != 0 || flags != 0) return kInvalidValue;
  void* const space = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) return kOutOfMemory;
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().ranges[device_pointer(space)] = {bytes, -1, nullptr, false};
  *out = device_pointer(space);
  return kSuccess;
}

SIMULATED cuMemAddressFree(DevicePointer pointer, size_t bytes) {
  SIMULATED_FAILURE("cuMemAddressFree");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto found = known().ranges.find(pointer);
  if (found == known().ranges.end() || found->second.bytes != bytes) return kInvalidValue;
  if (found->second.device >= 0) return kInvalidValue;  // still mapped
  known().ranges.erase(found);
  munmap(host_pointer(pointer), bytes);
  return kSuccess;
}

SIMULATED cuMemMap(DevicePointer pointer, size_t bytes, size_t offset, MemoryHandle handle,
                   unsigned long long flags) {
  SIMULATED_FAILURE("cuMemMap");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto range = known().ranges.find(pointer);
  const auto found = known().handles.find(handle);
  if (range == known().ranges.end() || found == known().handles.end()) return kInvalidValue;
  if (offset != 0 || flags != 0 || bytes > found->second->bytes || bytes != range->second.bytes)
    return kInvalidValue;
  void* const mapped =
      mmap(host_pointer(pointer), bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, found->second->fd, 0);
  if (mapped == MAP_FAILED) return kOutOfMemory;
  range->second.physical = found->second;
  range->second.device = found->second->properties.location.id;
  return kSuccess;
}

SIMULATED cuMemUnmap(DevicePointer pointer, size_t bytes) {
  SIMULATED_FAILURE("cuMemUnmap");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto range = known().ranges.find(pointer);
  if (range == known().ranges.end() || range->second.bytes != bytes) return kInvalidValue;
  mmap(host_pointer(pointer), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  range->second = {bytes, -1, nullptr, false};
  return kSuccess;
}

SIMULATED cuMemSetAccess(DevicePointer pointer, size_t bytes, const MemoryAccess* access,
                         size_t count) {
  SIMULATED_FAILURE("cuMemSetAccess");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto range = known().ranges.find(pointer);
  if (range == known().ranges.end() || range->second.device < 0 || count == 0) return kInvalidValue;
  for (size_t i = 0; i < count; ++i) {
    const bool peer = access[i].location.id != range->second.device;
    if (peer && number("SIMULATED_CUDA_PEER", 1) == 0) return kInvalidDevice;
  }
  if (mprotect(host_pointer(pointer), bytes, PROT_READ | PROT_WRITE) != 0) return kInvalidValue;
  range->second.accessible = true;
  return kSuccess;
}

SIMULATED cuMemExportToShareableHandle(void* out, MemoryHandle handle, int type,
                                       unsigned long long flags) {
  SIMULATED_FAILURE("cuMemExportToShareableHandle");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto found = known().handles.find(handle);
  if (found == known().handles.end() || type != kHandleFileDescriptor || flags != 0)
    return kInvalidValue;
  if ((found->second->properties.requested_handles & type) == 0) return kInvalidValue;
  *static_cast<int*>(out) = fcntl(found->second->fd, F_DUPFD_CLOEXEC, 0);
  return kSuccess;
}

SIMULATED cuMemImportFromShareableHandle(MemoryHandle* out, void* os_handle, int type) {
  SIMULATED_FAILURE("cuMemImportFromShareableHandle");
  const int fd = static_cast<int>(reinterpret_cast<intptr_t>(os_handle));
  struct stat facts {};
  if (type != kHandleFileDescriptor || fstat(fd, &facts) != 0) return kInvalidValue;
  auto made = std::make_shared<Physical>();
  made->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  made->bytes = static_cast<size_t>(facts.st_size);
  made->properties.type = kAllocationPinned;
  made->properties.requested_handles = kHandleFileDescriptor;
  made->properties.location = {kLocationDevice, current_device()};
  const std::lock_guard<std::mutex> lock(known().mutex);
  *out = known().keep(std::move(made));
  return kSuccess;
}

SIMULATED cuMemGetAllocationPropertiesFromHandle(AllocationProperties* out, MemoryHandle handle) {
  SIMULATED_FAILURE("cuMemGetAllocationPropertiesFromHandle");
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto found = known().handles.find(handle);
  if (found == known().handles.end()) return kInvalidValue;
  *out = found->second->properties;
  return kSuccess;
}

SIMULATED cuMemRetainAllocationHandle(MemoryHandle* out, void* pointer) {
  SIMULATED_FAILURE("cuMemRetainAllocationHandle");
  const std::lock_guard<std::mutex> lock(known().mutex);
  Range* const range = known().holding(device_pointer(pointer));
  if (range == nullptr || range->physical == nullptr) return kInvalidValue;
  *out = known().keep(range->physical);
  return kSuccess;
}

SIMULATED cuMemcpyAsync(DevicePointer dst, DevicePointer src, size_t bytes, Stream handle) {
  SIMULATED_FAILURE("cuMemcpyAsync");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  return stream->enqueue([=] { std::memmove(host_pointer(dst), host_pointer(src), bytes); });
}

SIMULATED cuMemcpy2DAsync_v2(const Copy2d* copy, Stream handle) {
  SIMULATED_FAILURE("cuMemcpy2DAsync");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (copy->src_type != kTypeUnified || copy->dst_type != kTypeUnified) return kInvalidValue;
  if (copy->src_pitch < copy->width || copy->dst_pitch < copy->width) return kInvalidValue;
  return stream->enqueue([what = *copy] {
    for (size_t row = 0; row < what.height; ++row) {
      std::memcpy(host_pointer(what.dst_device + row * what.dst_pitch),
                  host_pointer(what.src_device + row * what.src_pitch), what.width);
    }
  });
}
