// all_gather, all_to_all and broadcast by lines: bytes, whatever they mean.
#pragma once

#include "plugins/backends/cuda_peer/device/lines.cuh"

namespace muster::cuda_peer {

enum class Move { kAllGather, kAllToAll, kBroadcast };

// A piece of args.piece bytes goes from every rank to every rank. With broadcast, ranks beside the
// root send one line without content in each round: every round takes a line from every peer.
template <unsigned N, unsigned U, Move kMove>
__device__ __forceinline__ void move_lines(const Args& args) {
  Lines<N> lines(args);
  const bool aligned = multiple_of(8, args.send, args.recv, args.piece);
  const Word total = (args.piece + kLineData - 1) / kLineData;
  const bool sends = kMove != Move::kBroadcast || args.rank == args.root;
  begin_in_order();
  lines.begin();
  for (unsigned q = 0;; ++q) {
    const Word first = Round<U>::first(q, lines.seat);
    if (first >= total) break;
    if (q != 0) lines.barrier();
    const Round<U> round(first, total, lines.seat);
    lines.next_round();
    Packet own[N][U];  // by distance from this rank
#pragma unroll
    for (unsigned k = 0; k < N; ++k) {
      const Word piece = kMove == Move::kAllToAll ? (args.rank + k) % N : 0;
      const Byte* const from = args.send + piece * args.piece;
      if (kMove == Move::kAllToAll || k == 0) {
        lines.read(from, round, sends ? args.piece : 0, aligned, own[k]);
      } else {
#pragma unroll
        for (unsigned u = 0; u < U; ++u) own[k][u] = own[0][u];
      }
    }
#pragma unroll
    for (unsigned k = 1; k < N; ++k) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        const bool wanted = sends ? round.valid[u] : round.index[u] == 0;
        if (wanted) lines.send(k, round.index[u], own[k][u]);
      }
    }
    Packet got[N][U];
    bool wanted[N][U];
#pragma unroll
    for (unsigned s = 0; s < N; ++s) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        const bool full = kMove != Move::kBroadcast || s == args.root;
        wanted[s][u] = s != args.rank && (full ? round.valid[u] : round.index[u] == 0);
        got[s][u] = own[0][u];
        if (wanted[s][u]) got[s][u] = lines.look(s, round.index[u]);
      }
    }
#pragma unroll
    for (unsigned s = 0; s < N; ++s) {
      lines.template complete<U>(s, round.index, wanted[s], got[s]);
      if (kMove == Move::kBroadcast && s != args.root) continue;
      Byte* const to = args.recv + (kMove == Move::kBroadcast ? 0 : s * args.piece);
      lines.write(to, round, args.piece, aligned, got[s]);
    }
  }
  lines.end();
}

}  // namespace muster::cuda_peer
