// all_reduce and reduce_scatter in stages: each rank reduces one piece.
#pragma once

#include "plugins/backends/cuda_peer/device/stages.cuh"

namespace muster::cuda_peer {

template <unsigned N>
__device__ __forceinline__ void show_operands(Stages<N>& stages, const Args& args, Word i,
                                              bool aligned) {
  const Word offset = stages.offset(i);
#pragma unroll 1
  for (unsigned k = 1; k < N; ++k) {
    const unsigned to = (args.rank + k) % N;
    const Byte* const from = args.send + to * args.piece + offset;
    const long long left = end_of_piece(to, args.piece, args.bytes) - static_cast<long long>(offset);
    copy_step<Side::kProgram, Side::kHeap>(stages.there(kStageA, i, to), from, args.step_bytes,
                                           left, aligned);
  }
  stages.show();
}

// Reduces step i of this rank's piece into `out`, and shows it when kShow: in stages, or in the
// peers' buffers.
template <typename T, unsigned N, bool kShow>
__device__ __forceinline__ void reduce_step(Stages<N>& stages, const Args& args, Word i, Byte* out,
                                            bool aligned, bool direct) {
  const Word offset = stages.offset(i);
  const long long left =
      end_of_piece(args.rank, args.piece, args.bytes) - static_cast<long long>(offset);
  const long long bytes = min(static_cast<long long>(args.step_bytes), left);
  const Byte* const own = args.send + args.rank * args.piece + offset;
  constexpr unsigned U = N <= 4 ? 2 : 1;
  const long long stride = (blockDim.x - 32) * 16;
  for (long long at = threadIdx.x * 16; at < bytes; at += stride * U) {
    Packet got[N][U];
#pragma unroll
    for (unsigned s = 0; s < N; ++s) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        const long long o = at + u * stride;
        got[s][u] = {0, 0};
        if (o >= bytes) continue;
        got[s][u] = s == args.rank ? load_data<true>(own + o, bytes - o, aligned)
                                   : load_shared(stages.here(kStageA, i, s) + o);
      }
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      const long long o = at + u * stride;
      if (o >= bytes) continue;
      Sums<T> sums;
#pragma unroll
      for (unsigned s = 0; s < N; ++s) sums.take(got[s][u], s == 0, args);
      sums.finish(N, args);
      const Packet result = sums.packet();
      store_data<true>(out + offset + o, bytes - o, aligned, result);
      if (kShow) {
#pragma unroll
        for (unsigned k = 1; k < N; ++k) {
          const unsigned to = (args.rank + k) % N;
          if (direct) {
            store_data<true>(stages.at(to) + args.rank * args.piece + offset + o, bytes - o, true,
                             result);
          } else {
            store_plain(stages.there(kStageB, i, to) + o, result);
          }
        }
      }
    }
  }
  if (kShow) stages.show();
}

template <typename T, unsigned N>
__device__ __forceinline__ void all_reduce_in_stages(const Args& args) {
  __shared__ StageBoard board;
  Stages<N> stages(args, &board);
  const bool aligned = multiple_of(16, args.send, args.recv, args.piece);
  const Word steps = stages.steps();
  const Word lag = args.lag;
  begin_in_order();
  if (steps == 0) return;
  stages.begin();
  if (stages.signals()) {
    for (Word i = 0; i < steps + lag; ++i) {
      if (i < steps) stages.signal(kStageA, i, false);
      if (i >= lag) stages.signal(kStageB, i - lag, i - lag != steps - 1);
    }
  }
  bool direct = false;
  for (Word i = 0; i < steps + 2 * lag && !stages.signals(); ++i) {
    if (i < steps) show_operands<N>(stages, args, i, aligned);
    if (i >= lag && i - lag < steps) {
      const Word j = i - lag;
      if (j == 0) {
        direct = stages.meet();
      } else {
        stages.await(kStageA, j);
      }
      reduce_step<T, N, true>(stages, args, j, args.recv + args.rank * args.piece, aligned, direct);
    }
    if (i >= 2 * lag) {
      const Word k = i - 2 * lag;
      if (direct) {
        if (k == steps - 1) stages.await(kStageB, k);
        continue;
      }
      const Word offset = stages.offset(k);
      stages.await(kStageB, k);
#pragma unroll 1
      for (unsigned n = 1; n < N; ++n) {
        const unsigned from = (args.rank + n) % N;
        const long long left =
            end_of_piece(from, args.piece, args.bytes) - static_cast<long long>(offset);
        copy_step<Side::kHeap, Side::kProgram>(args.recv + from * args.piece + offset,
                                               stages.here(kStageB, k, from), args.step_bytes,
                                               left, aligned);
      }
    }
  }
  stages.end(steps);
}

template <typename T, unsigned N>
__device__ __forceinline__ void reduce_scatter_in_stages(const Args& args) {
  __shared__ StageBoard board;
  Stages<N> stages(args, &board);
  const bool aligned = multiple_of(16, args.send, args.recv, args.piece);
  const Word steps = stages.steps();
  const Word lag = args.lag;
  begin_in_order();
  if (steps == 0) return;
  stages.begin();
  if (stages.signals()) {
    for (Word i = 0; i < steps; ++i) stages.signal(kStageA, i, false);
  }
  for (Word i = 0; i < steps + lag && !stages.signals(); ++i) {
    if (i < steps) show_operands<N>(stages, args, i, aligned);
    if (i >= lag) {
      stages.await(kStageA, i - lag);
      reduce_step<T, N, false>(stages, args, i - lag, args.recv, aligned, false);
    }
  }
  stages.end(steps);
}

}  // namespace muster::cuda_peer
