// Movement of runs of bytes: what an operation along an inner dimension does besides
// communication. As cudaMemcpy2D, once per rank.
#ifndef MUSTER_CORE_TENSORS_RUNS_HPP
#define MUSTER_CORE_TENSORS_RUNS_HPP

#include <cstdint>

#include "core/base/status.hpp"
#include "muster/types.h"

namespace muster {

// `rows` times one run of every rank.
struct Runs {
  uint64_t rows;
  uint64_t run;  // bytes
  uint32_t ranks;
};

// UNIMPLEMENTED when this process cannot move runs in that memory in the order of that stream. The
// same on every rank, so it is asked before anybody is called.
Status check_movable(muster_memory memory, const muster_stream& stream);

// From blocks of ranks ([rank][row]) to rows of the whole tensor ([row][rank]), and back. Host
// memory; the two sides do not overlap.
void join_runs(void* tensor, const void* blocks, const Runs& runs);
void split_runs(void* blocks, const void* tensor, const Runs& runs);

}  // namespace muster

#endif
