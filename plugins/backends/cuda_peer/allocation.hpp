// One of this rank's allocations on its way to the other ranks: found by an address in it, made
// ready to be told of. The context is current wherever a function or the destructor runs.
#ifndef MUSTER_PLUGINS_CUDA_PEER_ALLOCATION_HPP
#define MUSTER_PLUGINS_CUDA_PEER_ALLOCATION_HPP

#include <cstdint>
#include <string>

#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

// Why a piece cannot be shared. Travels between ranks.
enum class Verdict : uint32_t {
  kShared,
  kNotDevice,     // not memory of a device, or managed by the driver
  kOtherDevice,   // not of the device that the rank is bound to
  kSeveral,       // it lies in more than one allocation
  kNoDescriptor,  // an allocation of virtual memory that was made without one
  kNoIpc          // one that cudaIpc does not take: of a pool, say
};
const char* text_of(Verdict verdict);

// What the others are told of an allocation.
struct AllocationCard {
  uint64_t bytes;
  cu::DevicePointer begin;
  cu::MemoryHandle handle;  // 0: plain memory
  cu::Context context;
  cu::IpcHandle ipc;
};

class Allocation {
 public:
  // in_process: no rank is in another process, so nothing has to be exported.
  Allocation(cu::DeviceHandle device, cu::DevicePointer pointer, bool in_process);
  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  Verdict verdict() const { return verdict_; }
  const AllocationCard& card() const { return card_; }
  int fd() const { return fd_; }  // -1: by cudaIpc, or directly
  bool holds(cu::DevicePointer begin, uint64_t bytes) const {
    return begin >= card_.begin && begin - card_.begin <= card_.bytes &&
           bytes <= card_.bytes - (begin - card_.begin);
  }

 private:
  Verdict look(cu::DeviceHandle device, cu::DevicePointer pointer, bool in_process);

  AllocationCard card_{};
  int fd_ = -1;
  Verdict verdict_;
};

}  // namespace muster::cuda_peer

#endif
