// all_reduce by marked lines: everybody sends everything to everybody.
#pragma once

#include "plugins/backends/cuda_peer/device/marks.cuh"

namespace muster::cuda_peer {

// U packets per thread are all.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_marked(const Args& args) {
  const unsigned stride = blockDim.x * 16;
  const MarkedPackets<U> packets(Word(blockIdx.x) * stride * U + threadIdx.x * 16, stride,
                                 args.bytes);
  Marks<N> marks(args, packets.offset);
  const Ends ends(args, packets.offset, 16, 0);
  begin_in_order();
  marks.begin();
  Packet own[U];
  marks.read(packets, ends.from, ends.aligned, own);
  marks.choose_slot();
  marks.send(packets, 0, own);
  Packet got[N][U];
  marks.take(packets, 0, own, got);
  combine_once<T, N, U>(args, got, own);
  packets.write(ends.to, ends.aligned, own);
  marks.put_back(packets, 0);
  marks.end();
}

// Any size, in a ring: a thread sends kMarksAhead times U packets more than it has taken.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_marked_stream(const Args& args) {
  const unsigned stride = blockDim.x * 16;
  const Word each = Word(gridDim.x) * stride * U;
  const Word first = Word(blockIdx.x) * stride * U + threadIdx.x * 16;
  Marks<N> marks(args, first);
  const bool aligned = multiple_of(16, args.send, args.recv, 0);
  const auto packets_of = [&](Word i) {
    return MarkedPackets<U>(first + i * each, stride, args.bytes);
  };
  const Word rounds = (args.bytes + each - 1) / each;
  const Word ring = Heap{N}.mark_bytes() / each;
  // Without a second time round the ring nothing is to be fenced.
  const Word fenced = rounds > ring ? ring - 2 * kMarksAhead - 2 : rounds + 1;
  begin_in_order();
  marks.begin();
  marks.choose_slot();
  Word place_sent = 0;  // the next place of the ring to send to, and below to take from
  const auto send = [&](Word i) {
    const MarkedPackets<U> packets = packets_of(i);
    Packet own[U];
    marks.read(packets, args.send + packets.offset, aligned, own);
    marks.send(packets, place_sent * each, own);
    if (++place_sent == ring) place_sent = 0;
  };
  for (Word i = 0; i < kMarksAhead && i < rounds; ++i) send(i);
  Word place = 0;
  Word to_fence = fenced;
  for (Word i = 0; i < rounds; ++i) {
    if (i + kMarksAhead < rounds) send(i + kMarksAhead);
    const MarkedPackets<U> packets = packets_of(i);
    Packet own[U];
    Packet got[N][U];
    marks.look(packets, place * each, got);
    marks.read(packets, args.send + packets.offset, aligned, own);
    marks.complete(packets, place * each, own, got);
    combine_once<T, N, U>(args, got, own);
    packets.write(args.recv + packets.offset, aligned, own);
    marks.put_back(packets, place * each);
    if (++place == ring) place = 0;
    if (--to_fence == 0) {
      marks.fence();
      to_fence = fenced;
    }
  }
  marks.end();
}

}  // namespace muster::cuda_peer
