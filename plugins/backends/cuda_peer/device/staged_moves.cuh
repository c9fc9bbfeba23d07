// all_gather, all_to_all and broadcast in stages.
#pragma once

#include "plugins/backends/cuda_peer/device/line_moves.cuh"
#include "plugins/backends/cuda_peer/device/stages.cuh"

namespace muster::cuda_peer {

// Step i goes out before the first step of the peers has come: only later ones may go into their
// buffers.
template <unsigned N, Move kMove>
__device__ __forceinline__ void move_in_stages(const Args& args) {
  __shared__ StageBoard board;
  Stages<N> stages(args, &board);
  const bool aligned = multiple_of(16, args.send, args.recv, args.piece);
  const Word steps = stages.steps();
  const Word lag = args.lag;
  const auto piece = static_cast<long long>(args.piece);
  const bool sends = kMove != Move::kBroadcast || args.rank == args.root;
  const Word own_piece = kMove == Move::kBroadcast ? 0 : args.rank * args.piece;
  begin_in_order();
  if (steps == 0) return;
  stages.begin();
  if (stages.signals()) {
    for (Word i = 0; i < steps; ++i) {
      stages.signal(kStageA, i, i > lag && i != steps - 1);
    }
  }
  bool direct = false;
  for (Word i = 0; i < steps + lag && !stages.signals(); ++i) {
    if (i < steps) {
      const Word offset = stages.offset(i);
      const long long left = piece - static_cast<long long>(offset);
#pragma unroll 1
      for (unsigned k = 1; sends && k < N; ++k) {
        const unsigned to = (args.rank + k) % N;
        const Byte* const from =
            args.send + (kMove == Move::kAllToAll ? to * args.piece : 0) + offset;
        if (direct) {
          copy_step<Side::kProgram, Side::kPeer>(stages.at(to) + own_piece + offset, from,
                                                 args.step_bytes, left, aligned);
        } else {
          copy_step<Side::kProgram, Side::kHeap>(stages.there(kStageA, i, to), from,
                                                 args.step_bytes, left, aligned);
        }
      }
      stages.show();
      // This rank's own part.
      const Byte* const own = args.send + (kMove == Move::kAllToAll ? args.rank * args.piece : 0);
      Byte* const at = args.recv + own_piece;
      if (sends && own != at) {
        copy_step<Side::kProgram, Side::kProgram>(at + offset, own + offset, args.step_bytes, left,
                                                  aligned);
      }
    }
    if (i >= lag) {
      const Word j = i - lag;
      const Word offset = stages.offset(j);
      const bool in_stage = !direct || j <= lag;
      if (j == 0) {
        direct = stages.meet();
      } else if (in_stage || j == steps - 1) {
        stages.await(kStageA, j);
      }
#pragma unroll 1
      for (unsigned k = 1; in_stage && k < N; ++k) {
        const unsigned from = (args.rank + k) % N;
        if (kMove == Move::kBroadcast && from != args.root) continue;
        Byte* const at = args.recv + (kMove == Move::kBroadcast ? 0 : from * args.piece);
        copy_step<Side::kHeap, Side::kProgram>(at + offset, stages.here(kStageA, j, from),
                                               args.step_bytes,
                                               piece - static_cast<long long>(offset), aligned);
      }
    }
  }
  stages.end(steps);
}

}  // namespace muster::cuda_peer
