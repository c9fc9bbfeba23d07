// all_gather, all_to_all and broadcast by lines that need one round.
#pragma once

#include "plugins/backends/cuda_peer/device/line_moves.cuh"
#include "plugins/backends/cuda_peer/device/once.cuh"

namespace muster::cuda_peer {

// A piece of args.piece bytes goes from every rank to every rank. With broadcast, ranks beside the
// root send one line without content: every launch takes one from every peer.
template <unsigned N, Move kMove>
__device__ __forceinline__ void move_once(const Args& args) {
  Once<N, 1> once(args);
  const OncePackets<1> packets(Word(blockIdx.x) * once.seat.groups, args.piece, once.seat);
  const bool sends = kMove != Move::kBroadcast || args.rank == args.root;
  const Ends ends(args, packets.offset, 8, args.piece);
  begin_in_order();
  once.begin();
  Packet own[1] = {{0, 0}};
  if (kMove == Move::kAllToAll) {
    once.send_each(packets.valid, [&](unsigned rank, Packet (&p)[1]) {
      packets.read(ends.from + rank * args.piece, ends.aligned, p);
    }, own);
  } else {
    const bool valid[1] = {sends ? packets.valid[0] : once.seat.group == 0};
    if (sends) packets.read(ends.from, ends.aligned, own);
    once.send(valid, own);
  }
  Packet got[N][1];
  once.take_if(
      [&](unsigned k, unsigned) {
        const bool full = kMove != Move::kBroadcast || once.source_of(k) == args.root;
        return full ? packets.valid[0] : once.seat.group == 0;
      },
      own, got);
#pragma unroll
  for (unsigned k = 0; k < N; ++k) {
    const unsigned source = once.source_of(k);
    if (kMove == Move::kBroadcast && source != args.root) continue;
    packets.write(ends.to + (kMove == Move::kBroadcast ? 0 : source * args.piece), ends.aligned,
                  got[k]);
  }
  once.end();
}

// In one round or in several.
template <unsigned N, Move kMove>
__device__ __forceinline__ void move_by_lines(const Args& args) {
  if (args.once != 0) {
    move_once<N, kMove>(args);
  } else {
    move_lines<N, 1, kMove>(args);
  }
}

}  // namespace muster::cuda_peer
