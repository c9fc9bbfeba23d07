// all_reduce and reduce_scatter by lines.
#pragma once

#include "plugins/backends/cuda_peer/device/lines.cuh"

namespace muster::cuda_peer {

// Lines that all ranks have sent, combined in rank order; `own` is this rank's. result may be own.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_lines(Lines<N>& lines, const Args& args,
                                             const Round<U>& round, const Packet (&own)[U],
                                             Packet (&result)[U]) {
  Packet got[N][U];
  lines.look(round, own, got);
  Sums<T> sums[U];
#pragma unroll
  for (unsigned s = 0; s < N; ++s) {
    if (s != args.rank) lines.template complete<U>(s, round.index, round.valid, got[s]);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) sums[u].take(got[s][u], s == 0, args);
  }
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    sums[u].finish(N, args);
    result[u] = sums[u].packet();
  }
}

// Everybody sends everything to everybody.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_one_shot(const Args& args) {
  Lines<N> lines(args);
  const bool aligned = multiple_of(8, args.send, args.recv, 0);
  const Word total = (args.bytes + kLineData - 1) / kLineData;
  begin_in_order();
  lines.begin();
  for (unsigned q = 0;; ++q) {
    const Word first = Round<U>::first(q, lines.seat);
    if (first >= total) break;
    if (q != 0) lines.barrier();
    const Round<U> round(first, total, lines.seat);
    lines.next_round();
    Packet own[U];
    lines.read(args.send, round, args.bytes, aligned, own);
    lines.send_to_all(round, own);
    reduce_lines<T, N, U>(lines, args, round, own, own);
    lines.write(args.recv, round, args.bytes, aligned, own);
  }
  lines.end();
}

// Reads line `line` of every piece and sends it to the owner of the piece. A piece is args.piece
// bytes, of which those before args.bytes exist; all have the same number of lines.
template <unsigned N, unsigned U>
__device__ __forceinline__ void scatter_lines(Lines<N>& lines, const Args& args,
                                              const Round<U>& round, bool aligned,
                                              Packet (&own)[U]) {
  Packet mine[N][U];  // by distance from this rank
#pragma unroll
  for (unsigned k = 0; k < N; ++k) {
    const Word start = Word((args.rank + k) % N) * args.piece;
    const Word end = start >= args.bytes ? 0 : min(args.piece, args.bytes - start);
    lines.read(args.send + start, round, end, aligned, mine[k]);
  }
#pragma unroll
  for (unsigned u = 0; u < U; ++u) own[u] = mine[0][u];
#pragma unroll
  for (unsigned k = 1; k < N; ++k) lines.send(k, round, mine[k]);
}

// Each rank reduces one piece and keeps it.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_scatter_lines(const Args& args) {
  Lines<N> lines(args);
  const bool aligned = multiple_of(8, args.send, args.recv, args.piece);
  const Word total = (args.piece + kLineData - 1) / kLineData;
  begin_in_order();
  lines.begin();
  for (unsigned q = 0;; ++q) {
    const Word first = Round<U>::first(q, lines.seat);
    if (first >= total) break;
    if (q != 0) lines.barrier();
    const Round<U> round(first, total, lines.seat);
    lines.next_round();
    Packet own[U];
    scatter_lines<N, U>(lines, args, round, aligned, own);
    reduce_lines<T, N, U>(lines, args, round, own, own);
    lines.write(args.recv, round, args.piece, aligned, own);
  }
  lines.end();
}

// Each rank reduces one piece and sends it to everybody. The second exchange is a round of its own:
// a thread sends a line of it after it has read the lines of the first, and all threads of a peer
// that read something of rank r have got it before that peer's block goes on to a further round.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_two_shot(const Args& args) {
  Lines<N> lines(args);
  const bool aligned = multiple_of(8, args.send, args.recv, args.piece);
  const Word total = (args.piece + kLineData - 1) / kLineData;
  begin_in_order();
  lines.begin();
  for (unsigned q = 0;; ++q) {
    const Word first = Round<U>::first(q, lines.seat);
    if (first >= total) break;
    if (q != 0) lines.barrier();
    const Round<U> round(first, total, lines.seat);
    lines.next_round();
    Packet own[U];
    scatter_lines<N, U>(lines, args, round, aligned, own);
    reduce_lines<T, N, U>(lines, args, round, own, own);
    lines.next_round();
    Packet got[N][U];
    lines.send_to_all(round, own);
    lines.look(round, own, got);
#pragma unroll
    for (unsigned s = 0; s < N; ++s) {
      if (s != args.rank) lines.template complete<U>(s, round.index, round.valid, got[s]);
      const Word start = Word(s) * args.piece;
      const Word end = start >= args.bytes ? 0 : min(args.piece, args.bytes - start);
      lines.write(args.recv + start, round, end, aligned, got[s]);
    }
  }
  lines.end();
}

}  // namespace muster::cuda_peer
