// What a rank tells the others in a call: which of its buffers they reach for, if they can.
//
// Any thread, no allocation: on the path of a call.
#ifndef MUSTER_PLUGINS_CUDA_PEER_TELLING_HPP
#define MUSTER_PLUGINS_CUDA_PEER_TELLING_HPP

#include <cstdint>

#include "muster/call.h"
#include "plugins/backends/cuda_peer/programs.hpp"

namespace muster::cuda_peer {

struct Telling {
  // What others do to a buffer of a rank. Equal on all ranks, as the kernel is.
  enum class Reach { kNone, kRead, kStore };
  Reach reach = Reach::kNone;
  bool needed = false;    // this rank's is reached for
  bool possible = false;  // its layout allows it
  const void* buffer = nullptr;
  uint64_t bytes = 0;
};

// Of a call with data that a kernel serves. Kernels of lines, and those that only stage, tell
// nothing.
Telling telling_of(Kernel kernel, const muster_call& call, uint32_t rank, uint32_t ranks);

// Whether a rank's pieces lie at multiples of a packet in every operand.
bool is_pullable(muster_op op, uint64_t bytes);

}  // namespace muster::cuda_peer

#endif
