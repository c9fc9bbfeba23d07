// The shape of one launch: kernel, blocks, threads and pieces, a pure function of the call and of
// what the group has agreed on, so it is equal on all ranks.
#ifndef MUSTER_PLUGINS_CUDA_PEER_PLAN_HPP
#define MUSTER_PLUGINS_CUDA_PEER_PLAN_HPP

#include <cstdint>

#include "muster/types.h"
#include "plugins/backends/cuda_peer/bands.hpp"
#include "plugins/backends/cuda_peer/programs.hpp"

namespace muster::cuda_peer {

// How many blocks of all ranks that share a device are sure to run together.
struct Room {
  uint32_t spread;      // multiprocessors: blocks of lines are spread before they are stacked
  uint32_t row_blocks;  // of the fused kernel
  uint32_t line_blocks;
  uint32_t stage_blocks;
  uint32_t line_threads;  // of a block, at first; 0: as measured
  uint64_t step_bytes;    // of a stage; 0: by the size of the message
  uint32_t lag;           // of stages; 0: as measured
  uint32_t cluster;       // the most blocks that a row of the fused operation may have
  uint32_t row_bytes;     // shared memory that a block has for its part of a row
};

struct Plan {
  Kernel kernel = Kernel::kEnd;
  uint32_t blocks = 0;
  uint32_t threads = 0;
  uint64_t bytes = 0;
  uint64_t piece = 0;
  uint64_t step_bytes = 0;
  uint32_t lag = 0;
  uint32_t once = 0;  // of lines: how many a thread has when one round is enough; 0: it is not
  uint32_t cluster = 1;
  uint32_t shared_bytes = 0;
};

// bytes: count times the size of an element. Not for zero bytes.
Plan plan_of(muster_op op, uint64_t bytes, uint32_t ranks, Algorithm algorithm, const Room& room);
// The fused operation: rows of `hidden` elements of `size` bytes. Throws UNIMPLEMENTED for rows
// that do not fit into shared memory.
Plan fused_plan_of(uint64_t bytes, uint64_t hidden, uint64_t size, uint32_t ranks, bool quantised,
                   const Room& room);

}  // namespace muster::cuda_peer

#endif
