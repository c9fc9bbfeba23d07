#include "plugins/backends/cuda_peer/peer_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace muster::cuda_peer {

// What a rank tells the others of its memory.
struct MemoryCard {
  uint64_t bytes;
  cu::DevicePointer pointer;
  cu::MemoryHandle handle;  // 0: by ipc
  cu::Context context;
  cu::IpcHandle ipc;
};

namespace {

cu::AllocationProperties properties_on(cu::DeviceHandle device) {
  cu::AllocationProperties properties{};
  properties.type = cu::kAllocationPinned;
  properties.requested_handles = cu::kHandleFileDescriptor;
  properties.location = {cu::kLocationDevice, device};
  return properties;
}

// Closes what an exchange gave.
struct Descriptors {
  std::vector<int32_t> fds;
  ~Descriptors() {
    for (const int32_t fd : fds) {
      if (fd >= 0) close(fd);
    }
  }
};

}  // namespace

PeerMemory::PeerMemory(cu::DeviceHandle device, uint64_t bytes, const std::string& way)
    : cuda_(cu::driver()), device_(device), bytes_(bytes) {
  try {
    if (way == "ipc" || !allocate_shareable()) {
      if (way == "fd") plugin::fail(MUSTER_UNAVAILABLE, why_no_fd_, "set memory = \"ipc\"");
      release();
      allocate_plain();
    }
    cuda_.check(cuda_.memory_set(own_, 0, bytes_), "cuMemsetD8");
    cuda_.check(cuda_.context_synchronize(), "cuCtxSynchronize");
  } catch (...) {
    release();
    throw;
  }
}

PeerMemory::~PeerMemory() {
  for (const Opened& opened : opened_) {
    if (opened.by_ipc) {
      cuda_.ipc_close(opened.pointer);
    } else {
      unmap(opened.pointer);
    }
  }
  release();
}

void PeerMemory::release() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  if (handle_ != 0) {
    if (own_ != 0) unmap(own_);
    cuda_.memory_release(handle_);
  } else if (own_ != 0) {
    cuda_.memory_free(own_);
  }
  handle_ = 0;
  own_ = 0;
}

bool PeerMemory::allocate_shareable() {
  const cu::AllocationProperties properties = properties_on(device_);
  size_t unit = 0;
  const uint64_t asked = bytes_;
  cu::Result result = cuda_.memory_granularity(&unit, &properties, 0);
  if (result == 0 && unit != 0) {
    bytes_ = (bytes_ + unit - 1) / unit * unit;
    result = cuda_.memory_create(&handle_, bytes_, &properties, 0);
    if (result != 0) handle_ = 0;
  }
  if (result == 0) result = cuda_.memory_export(&fd_, handle_, cu::kHandleFileDescriptor, 0);
  if (result != 0) {
    why_no_fd_ = "device memory cannot be shared by a file descriptor: " + cuda_.describe(result);
    fd_ = -1;
    bytes_ = asked;
    return false;
  }
  own_ = map(handle_);
  return true;
}

void PeerMemory::allocate_plain() {
  cuda_.check(cuda_.memory_allocate(&own_, bytes_), "cuMemAlloc");
}

cu::DevicePointer PeerMemory::map(cu::MemoryHandle handle) {
  cu::DevicePointer at = 0;
  cuda_.check(cuda_.address_reserve(&at, bytes_, 0, 0, 0), "cuMemAddressReserve");
  cu::Result result = cuda_.memory_map(at, bytes_, 0, handle, 0);
  if (result == 0) {
    const cu::MemoryAccess access{{cu::kLocationDevice, device_}, cu::kAccessReadWrite};
    result = cuda_.memory_set_access(at, bytes_, &access, 1);
    if (result != 0) cuda_.memory_unmap(at, bytes_);
  }
  if (result != 0) cuda_.address_free(at, bytes_);
  cuda_.check(result, "mapping device memory");
  return at;
}

void PeerMemory::unmap(cu::DevicePointer pointer) {
  cuda_.memory_unmap(pointer, bytes_);
  cuda_.address_free(pointer, bytes_);
}

cu::DevicePointer PeerMemory::open_peer(const plugin::Group& group, uint32_t rank,
                                        const MemoryCard& card, int fd) {
  const muster_rank_place* const places = group.info().places;
  const bool here = places[rank].process == places[group.rank()].process;
  if (card.handle == 0) {
    if (here) {
      const cu::Result result = cuda_.context_enable_peer(card.context, 0);
      cu::Context own = nullptr;
      cuda_.context_current(&own);
      if (own != card.context && result != cu::kPeerAccessAlreadyEnabled) {
        cuda_.check(result, "cuCtxEnablePeerAccess");
      }
      return card.pointer;
    }
    cu::DevicePointer pointer = 0;
    cuda_.check(cuda_.ipc_open(&pointer, card.ipc, 1), "cuIpcOpenMemHandle");
    opened_.push_back({pointer, true});
    return pointer;
  }
  cu::MemoryHandle handle = card.handle;
  if (!here) {
    cuda_.check(cuda_.memory_import(&handle, reinterpret_cast<void*>(static_cast<intptr_t>(fd)),
                                    cu::kHandleFileDescriptor),
                "cuMemImportFromShareableHandle");
  }
  try {
    opened_.push_back({map(handle), false});
  } catch (...) {
    if (!here) cuda_.memory_release(handle);
    throw;
  }
  // The mapping keeps the memory.
  if (!here) cuda_.memory_release(handle);
  return opened_.back().pointer;
}

void PeerMemory::connect(const plugin::Group& group) {
  const muster_rank_place* const places = group.info().places;
  bool one_process = true;
  for (uint32_t r = 1; r < group.size(); ++r) {
    one_process = one_process && places[r].process == places[0].process;
  }
  MemoryCard own{bytes_, own_, handle_, nullptr, {}};
  cuda_.context_current(&own.context);
  if (handle_ == 0 && !one_process) {
    cuda_.check(cuda_.ipc_get(&own.ipc, own_), "cuIpcGetMemHandle");
  }
  std::vector<MemoryCard> cards(group.size());
  group.all_gather(&own, sizeof(own), cards.data());
  Descriptors received;
  received.fds.assign(group.size(), -1);
  if (!one_process) {
    // Who has none gives one of nothing: all ranks give the same number.
    if (fd_ < 0) fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    received.fds = group.exchange_fds(&fd_, 1);
  }
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  pointers_.assign(group.size(), own_);
  for (uint32_t r = 0; r < group.size(); ++r) {
    if (r == group.rank()) continue;
    if (cards[r].bytes != bytes_) {
      plugin::fail(MUSTER_MISMATCH, "rank " + std::to_string(r) + " shares " +
                                        std::to_string(cards[r].bytes) + " bytes, this rank " +
                                        std::to_string(bytes_));
    }
    pointers_[r] = open_peer(group, r, cards[r], received.fds[r]);
  }
  // Nobody releases what another one is still about to map.
  uint32_t done = 1;
  std::vector<uint32_t> all(group.size());
  group.all_gather(&done, sizeof(done), all.data());
}

}  // namespace muster::cuda_peer
