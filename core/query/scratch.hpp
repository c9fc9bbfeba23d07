// Scratch memory of one group: one buffer per user and memory kind, grown only where growing is
// allowed.
//
// [group-serial]. A buffer is valid until the next get of the same user and kind.
#ifndef MUSTER_CORE_QUERY_SCRATCH_HPP
#define MUSTER_CORE_QUERY_SCRATCH_HPP

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "core/base/status.hpp"
#include "core/query/devices.hpp"
#include "muster/types.h"

namespace muster {

class Scratch {
 public:
  // Whoever asks: a composition may run on top of a backend that uses scratch itself.
  using User = const void*;

  // Where memory that is not the host's comes from.
  void on(const Devices& devices, uint32_t device) {
    devices_ = &devices;
    device_ = device;
  }
  Result<void*> get(User user, muster_memory memory, uint64_t bytes);
  // Memory of the host for copies to and from a kind of device memory: pinned where the plugin of
  // that kind can.
  Result<void*> staging(User user, muster_memory device_kind, uint64_t bytes);
  // Makes sure that a later get of up to `bytes` need not grow.
  Status reserve(User user, muster_memory memory, uint64_t bytes);
  void allow_growth(bool allow) { may_grow_ = allow; }

 private:
  using Memory = std::unique_ptr<void, std::function<void(void*)>>;
  struct Buffer {
    Memory memory;
    uint64_t bytes = 0;
  };
  Result<Memory> allocate(muster_memory memory, uint64_t bytes) const;
  Memory pinned(Memory memory, const Device& device, uint64_t bytes) const;

  std::map<std::pair<User, muster_memory>, Buffer> buffers_;
  const Devices* devices_ = nullptr;
  uint32_t device_ = 0;
  bool may_grow_ = true;
};

}  // namespace muster

#endif
