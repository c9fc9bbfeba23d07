// How a group of one rank moves data: in the host's memory, or by the plugin of a device's memory
// on the call's stream, where a capture records it.
//
// One call at a time.
#ifndef MUSTER_CORE_COMPOSE_SELF_COPY_HPP
#define MUSTER_CORE_COMPOSE_SELF_COPY_HPP

#include <cstdint>

#include "core/query/devices.hpp"
#include "muster/call.h"

namespace muster {

class SelfCopy {
 public:
  // Of a call's own buffers. devices may be NULL where all memory is the host's.
  SelfCopy(const Devices* devices, const muster_call& call)
      : SelfCopy(devices, call.send_memory, call.stream) {}
  // From the buffer of one call to that of another, each on its stream.
  static muster_status* between(const Devices* devices, const muster_call& send,
                                const muster_call& recv, uint64_t bytes);

  muster_status* operator()(void* to, const void* from, uint64_t bytes) const;

 private:
  SelfCopy(const Devices* devices, muster_memory memory, const muster_stream& stream);

  const Device* device_ = nullptr;  // NULL: the host's memory
  muster_stream stream_;
};

}  // namespace muster

#endif
