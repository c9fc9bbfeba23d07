// Device memory of one rank that every rank of the group has mapped.
//
// By a file descriptor of a driver allocation that goes through the runtime's exchange; by cudaIpc
// where the driver gives none. Ranks that are threads of one process map each other directly. What
// another rank has mapped stays until it unmaps it, whoever ends first (with cudaIpc: until the
// owner ends).
//
// [setup-thread]; the context is current wherever a function or the destructor runs.
#ifndef MUSTER_PLUGINS_CUDA_PEER_PEER_MEMORY_HPP
#define MUSTER_PLUGINS_CUDA_PEER_PEER_MEMORY_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

class PeerMemory {
 public:
  // Allocates and zeroes this rank's. way: "auto", "fd" or "ipc".
  PeerMemory(cu::DeviceHandle device, uint64_t bytes, const std::string& way);
  ~PeerMemory();
  PeerMemory(const PeerMemory&) = delete;
  PeerMemory& operator=(const PeerMemory&) = delete;

  // Maps the others'. [collective]
  void connect(const plugin::Group& group);
  cu::DevicePointer of(uint32_t rank) const { return pointers_[rank]; }
  // "fd" or "ipc".
  const char* way() const { return handle_ != 0 ? "fd" : "ipc"; }

 private:
  bool allocate_shareable();
  void allocate_plain();
  void release();
  cu::DevicePointer map(cu::MemoryHandle handle);
  void unmap(cu::DevicePointer pointer);
  cu::DevicePointer open_peer(const plugin::Group& group, uint32_t rank,
                              const struct MemoryCard& card, int fd);

  struct Opened {
    cu::DevicePointer pointer;
    bool by_ipc;
  };

  const cu::Driver& cuda_;
  cu::DeviceHandle device_;
  uint64_t bytes_;
  cu::MemoryHandle handle_ = 0;
  cu::DevicePointer own_ = 0;
  int fd_ = -1;
  std::string why_no_fd_;
  std::vector<cu::DevicePointer> pointers_;
  std::vector<Opened> opened_;
};

}  // namespace muster::cuda_peer

#endif
