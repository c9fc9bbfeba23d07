// Device memory of one rank that every rank of the group has mapped: its heap. How it is mapped:
// sharing.hpp.
//
// [setup-thread]; the context is current wherever a function or the destructor runs.
#ifndef MUSTER_PLUGINS_CUDA_PEER_PEER_MEMORY_HPP
#define MUSTER_PLUGINS_CUDA_PEER_PEER_MEMORY_HPP

#include <cstdint>
#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/sharing.hpp"

namespace muster::cuda_peer {

class PeerMemory {
 public:
  // Allocates and zeroes this rank's. way: "fd": memory that a file descriptor can be had of;
  // "ipc": plain memory; "auto": the first that the driver gives.
  PeerMemory(cu::DeviceHandle device, uint64_t bytes, const std::string& way);
  ~PeerMemory();
  PeerMemory(const PeerMemory&) = delete;
  PeerMemory& operator=(const PeerMemory&) = delete;

  // Sets bytes of this rank's, before the others have it.
  void fill(uint64_t offset, unsigned char value, uint64_t bytes) const;
  // Maps the others'. [collective]
  void connect(const plugin::Group& group);
  cu::DevicePointer of(uint32_t rank) const { return shared_.pieces.front().at[rank]; }

 private:
  // False, with the cause in `why_no_fd_`, where the driver gives none.
  bool allocate_shareable();
  void release();

  cu::DeviceHandle device_;
  uint64_t bytes_;
  cu::MemoryHandle handle_ = 0;  // 0: plain memory
  cu::DevicePointer own_ = 0;
  std::string why_no_fd_;
  SharedPieces shared_;
};

}  // namespace muster::cuda_peer

#endif
