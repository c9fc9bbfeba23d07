#include "plugins/backends/cuda_peer/peer_memory.hpp"

namespace muster::cuda_peer {

PeerMemory::PeerMemory(cu::DeviceHandle device, uint64_t bytes, const std::string& way)
    : device_(device), bytes_(bytes) {
  const cu::Driver& cuda = cu::driver();
  try {
    if (way == "ipc" || !allocate_shareable()) {
      if (way == "fd") plugin::fail(MUSTER_UNAVAILABLE, why_no_fd_, "set memory = \"ipc\"");
      cuda.check(cuda.memory_allocate(&own_, bytes_), "cuMemAlloc");
    }
    cuda.check(cuda.memory_set(own_, 0, bytes_), "cuMemsetD8");
    cuda.check(cuda.context_synchronize(), "cuCtxSynchronize");
  } catch (...) {
    release();
    throw;
  }
}

PeerMemory::~PeerMemory() {
  shared_.mappings.clear();
  release();
}

void PeerMemory::release() {
  const cu::Driver& cuda = cu::driver();
  if (own_ != 0 && handle_ == 0) cuda.memory_free(own_);
  if (own_ != 0 && handle_ != 0) {
    cuda.memory_unmap(own_, bytes_);
    cuda.address_free(own_, bytes_);
  }
  if (handle_ != 0) cuda.memory_release(handle_);
  handle_ = 0;
  own_ = 0;
}

bool PeerMemory::allocate_shareable() {
  const cu::Driver& cuda = cu::driver();
  cu::AllocationProperties properties{};
  properties.type = cu::kAllocationPinned;
  properties.requested_handles = cu::kHandleFileDescriptor;
  properties.location = {cu::kLocationDevice, device_};
  size_t unit = 0;
  const uint64_t asked = bytes_;
  cu::Result result = cuda.memory_granularity(&unit, &properties, cu::kGranularityMinimum);
  if (result == cu::kSuccess && unit != 0) {
    bytes_ = (bytes_ + unit - 1) / unit * unit;
    result = cuda.memory_create(&handle_, bytes_, &properties, 0);
    if (result != cu::kSuccess) handle_ = 0;
  }
  if (result == cu::kSuccess) result = cuda.address_reserve(&own_, bytes_, 0, 0, 0);
  const bool reserved = result == cu::kSuccess;
  if (reserved) result = cuda.memory_map(own_, bytes_, 0, handle_, 0);
  const bool mapped = reserved && result == cu::kSuccess;
  if (mapped) {
    const cu::MemoryAccess access{{cu::kLocationDevice, device_}, cu::kAccessReadWrite};
    result = cuda.memory_set_access(own_, bytes_, &access, 1);
  }
  if (result == cu::kSuccess) return true;
  why_no_fd_ = "device memory cannot be shared by a file descriptor: " + cuda.describe(result);
  if (mapped) cuda.memory_unmap(own_, bytes_);
  if (reserved) cuda.address_free(own_, bytes_);
  if (handle_ != 0) cuda.memory_release(handle_);
  own_ = 0;
  handle_ = 0;
  bytes_ = asked;
  return false;
}

void PeerMemory::fill(uint64_t offset, unsigned char value, uint64_t bytes) const {
  const cu::Driver& cuda = cu::driver();
  cuda.check(cuda.memory_set(own_ + offset, value, bytes), "cuMemsetD8");
  cuda.check(cuda.context_synchronize(), "cuCtxSynchronize");
}

void PeerMemory::connect(const plugin::Group& group) {
  shared_ = share_pieces(group, device_, {{own_, bytes_}});
  const std::string& refused = shared_.pieces.front().refused;
  if (!refused.empty()) plugin::fail(MUSTER_UNAVAILABLE, "the kernels' memory: " + refused);
}

}  // namespace muster::cuda_peer
