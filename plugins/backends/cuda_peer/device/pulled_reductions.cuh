// all_reduce and reduce_scatter by pulls. Where a rank has told of no buffer, all go by lines.
#pragma once

#include "plugins/backends/cuda_peer/device/line_reductions.cuh"
#include "plugins/backends/cuda_peer/device/pulls.cuh"

namespace muster::cuda_peer {

template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_pulled(const Args& args) {
  __shared__ const Byte* at[kMaxRanks + 1];
  Pulls<N> pulls(args, at);
  begin_in_order();
  if (!pulls.enter()) {
    pulls.end();
    all_reduce_one_shot<T, N, 1>(args);
    return;
  }
  reduce_pulled<T, N, U>(pulls, args, 0, args.send == args.recv);
}

// Of each operand a rank reads its own piece only, so results in place disturb nobody.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_scatter_pulled(const Args& args) {
  __shared__ const Byte* at[kMaxRanks + 1];
  Pulls<N> pulls(args, at);
  begin_in_order();
  if (!pulls.enter()) {
    pulls.end();
    reduce_scatter_lines<T, N, 1>(args);
    return;
  }
  reduce_pulled<T, N, U>(pulls, args, args.rank * args.piece, false);
}

}  // namespace muster::cuda_peer
