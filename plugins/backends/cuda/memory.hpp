// Device memory of one instance: made, freed.
//
// Where the device can, memory is made of physical pieces with a file descriptor (cuMemCreate), so
// that a backend can share it and NCCL can register it; elsewhere by cuMemAlloc. Thread rule: any
// thread. Lifetime: what is not freed ends with the process. As ncclMemAlloc.
#ifndef MUSTER_PLUGINS_BACKENDS_CUDA_MEMORY_HPP
#define MUSTER_PLUGINS_BACKENDS_CUDA_MEMORY_HPP

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "plugins/cuda_driver/contexts.hpp"

namespace muster::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(Contexts& contexts) : contexts_(contexts), driver_(contexts.driver()) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // Whose memory a pointer is: nothing when it is no device's.
  std::optional<uint32_t> device_of(const void* pointer) const;

  // Aligned to 4096. All of these throw Error.
  void* allocate(uint32_t device, uint64_t bytes);
  // Waits for the work of the device, so not while a stream of it is being captured. A pointer that
  // this object did not give is refused.
  void free(uint32_t device, void* pointer);

  // Whole pages of the host's memory.
  void pin(uint32_t device, void* pointer, uint64_t bytes);
  void unpin(uint32_t device, void* pointer);

 private:
  struct Piece {
    DevicePointer begin = 0;
    uint64_t bytes = 0;
    std::optional<MemoryHandle> handle;  // none: made by cuMemAlloc
  };
  std::optional<Piece> create(uint32_t device, uint64_t bytes);
  // Gives a handle, which it takes over, an address that every device which can may use.
  Piece place(uint32_t device, MemoryHandle handle, uint64_t bytes, size_t alignment);
  void* keep(void* pointer, const Piece& piece);

  Contexts& contexts_;
  const Driver& driver_;
  std::mutex mutex_;
  std::map<void*, Piece> pieces_;
};

}  // namespace muster::cuda

#endif
