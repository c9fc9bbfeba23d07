// Bytes of which the receiver does not know the length, on a group's host channel.
//
// One block of fixed size has the length, whether the sender failed, and the beginning of the
// bytes; small ones are done with that. The rest follows in chunks, so that a receiver without
// memory for it can still take part and nobody waits in vain. [group-serial]. As torch's
// broadcast_object_list.
#ifndef MUSTER_CORE_TENSORS_BYTES_HPP
#define MUSTER_CORE_TENSORS_BYTES_HPP

#include <cstdint>
#include <string>

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

// What goes out: bytes, or the failure that kept the sender from giving them.
struct OutgoingBytes {
  const void* data = nullptr;
  uint64_t size = 0;
  const Status* failure = nullptr;
};

// What came in. A failure is the sender's, and names it.
struct IncomingBytes {
  std::string bytes;
  Status failure;
};

// The statuses that are returned are about this rank or about the channel. `in` is filled on every
// rank but the root, whose failure is its own already.
Status broadcast_bytes(muster_group& group, const OutgoingBytes& out, uint32_t root,
                       IncomingBytes* in);  // [collective]
Status send_bytes(muster_group& group, const OutgoingBytes& out, uint32_t peer);
Status recv_bytes(muster_group& group, uint32_t peer, IncomingBytes* in);

// A failure as text for another rank, and back.
std::string pack_failure(const Status& failure);
Status unpack_failure(muster_code code, const std::string& text, const std::string& who);

}  // namespace muster

#endif
