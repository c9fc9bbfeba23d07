#include "plugins/backends/cuda_peer/allocation.hpp"

#include <unistd.h>

namespace muster::cuda_peer {

const char* text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kShared:
      return "can be shared";
    case Verdict::kNotDevice:
      return "is no memory of a device alone (host or managed memory is not registered)";
    case Verdict::kOtherDevice:
      return "lies on another device than the one that the rank is bound to";
    case Verdict::kSeveral:
      return "lies in several allocations of the driver";
    case Verdict::kNoDescriptor:
      return "lies in virtual memory that was made without a file descriptor "
             "(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)";
    case Verdict::kNoIpc:
      return "is not taken by cudaIpc, as memory of a stream-ordered pool is not";
  }
  return "is of a kind that this version does not know";
}

Allocation::Allocation(cu::DeviceHandle device, cu::DevicePointer pointer, bool in_process)
    : verdict_(look(device, pointer, in_process)) {}

Allocation::~Allocation() {
  if (fd_ >= 0) close(fd_);
  if (card_.handle != 0) cu::driver().memory_release(card_.handle);
}

Verdict Allocation::look(cu::DeviceHandle device, cu::DevicePointer pointer, bool in_process) {
  const cu::Driver& cuda = cu::driver();
  unsigned type = 0;
  int managed = 0;
  int owner = -1;
  // The driver answers with an error for what it does not know.
  const bool known = cuda.pointer_attribute(&type, cu::kPointerMemoryType, pointer) == 0 &&
                     cuda.pointer_attribute(&managed, cu::kPointerIsManaged, pointer) == 0 &&
                     cuda.pointer_attribute(&owner, cu::kPointerDevice, pointer) == 0;
  if (!known || type != cu::kTypeDevice || managed != 0) return Verdict::kNotDevice;
  cu::DeviceHandle handle_of_owner = 0;
  if (cuda.device_get(&handle_of_owner, owner) != 0 || handle_of_owner != device) {
    return Verdict::kOtherDevice;
  }
  size_t bytes = 0;
  if (cuda.address_range(&card_.begin, &bytes, pointer) != 0) return Verdict::kNotDevice;
  card_.bytes = bytes;
  cuda.context_current(&card_.context);
  // Asked first, so that nothing fails that tools would report; older drivers do not know it.
  int plain = 0;
  const bool asked = cuda.pointer_attribute(&plain, cu::kPointerHasIpc, pointer) == 0;
  if (!(asked && plain != 0) &&
      cuda.memory_retain(&card_.handle, cu::host_pointer(card_.begin)) == 0) {
    if (in_process) return Verdict::kShared;
    const bool exported = cuda.memory_export(&fd_, card_.handle, cu::kHandleFileDescriptor, 0) == 0;
    if (!exported) fd_ = -1;
    return exported ? Verdict::kShared : Verdict::kNoDescriptor;
  }
  card_.handle = 0;
  if (in_process || cuda.ipc_get(&card_.ipc, card_.begin) == 0) return Verdict::kShared;
  return Verdict::kNoIpc;
}

}  // namespace muster::cuda_peer
