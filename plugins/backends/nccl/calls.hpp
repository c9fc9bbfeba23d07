// The operations in NCCL's words: enqueues one call on a stream.
//
// What NCCL has no function for is a group of sends, receives, reductions or broadcasts, which it
// runs as one. Nothing here allocates. Thread rule: group-serial. Lifetime: of one execute or
// batch.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_CALLS_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_CALLS_HPP

#include <cstdint>

#include "muster/call.h"
#include "plugins/backends/nccl/library.hpp"

namespace muster::nccl {

// What the calls of one group have in common.
struct Member {
  const Library* nccl = nullptr;
  uint32_t features = 0;  // of all ranks
  uint32_t rank = 0;
  uint32_t size = 0;
};

// Bytes of scratch that a call needs: all_to_all in place, which NCCL does not do.
uint64_t scratch_bytes(const Member& member, const muster_call& call);

// Answers with NCCL's last word: kInProgress from communicators that do not block. Throws
// plugin::Failure that names the function for any other failure. scratch: as many bytes as
// scratch_bytes says, whose content is the call's send buffer.
Result enqueue(const Member& member, const muster_call& call, const void* scratch, Comm comm,
               Stream stream);

// Calls of NCCL that become one. Ended by end(), or silently on the way of an exception.
class OneOf {
 public:
  OneOf(const Library& library, Comm comm) : library_(library), comm_(comm) {
    library_.check(library_.group_start(), "ncclGroupStart", comm_);
  }
  ~OneOf() {
    if (open_) library_.group_end();
  }
  OneOf(const OneOf&) = delete;
  OneOf& operator=(const OneOf&) = delete;
  Result end() {
    open_ = false;
    const Result result = library_.group_end();
    if (result != kInProgress) library_.check(result, "ncclGroupEnd", comm_);
    return result;
  }

 private:
  const Library& library_;
  Comm comm_;
  bool open_ = true;
};

}  // namespace muster::nccl

#endif
