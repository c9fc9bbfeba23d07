// Scratch memory of one group: one buffer per user and memory kind, grown only where growing is
// allowed.
//
// [group-serial]. A buffer is valid until the next get of the same user and kind.
#ifndef MUSTER_CORE_QUERY_SCRATCH_HPP
#define MUSTER_CORE_QUERY_SCRATCH_HPP

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>

#include "core/base/status.hpp"
#include "muster/types.h"

namespace muster {

class Scratch {
 public:
  // Whoever asks: a composition may run on top of a backend that uses scratch itself.
  using User = const void*;

  Result<void*> get(User user, muster_memory memory, uint64_t bytes);
  // Makes sure that a later get of up to `bytes` need not grow.
  Status reserve(User user, muster_memory memory, uint64_t bytes);
  void allow_growth(bool allow) { may_grow_ = allow; }

 private:
  struct Free {
    void operator()(void* pointer) const { std::free(pointer); }
  };
  struct Buffer {
    std::unique_ptr<void, Free> memory;
    uint64_t bytes = 0;
  };
  Status grow(Buffer& buffer, uint64_t bytes);

  std::map<User, Buffer> buffers_;
  bool may_grow_ = true;
};

}  // namespace muster

#endif
