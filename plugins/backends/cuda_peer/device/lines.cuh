// Lines: 120 bytes of data and their epoch, written as a whole, so that no fence stands between
// data and flag. Rank s writes line i of round e into slot e % 2 of the readers' heaps, at the place
// of source s.
//
// Why a slot may be written again. Every round of a channel takes at least one line from every peer,
// and a block ends a round with a barrier. When rank r writes round e, its block has taken a line
// of round e-1 of every peer p; p wrote that line after its block had ended round e-2, the last one
// that read slot e % 2. The epoch tells old data from new; nothing is ever cleared.
#pragma once

#include "plugins/backends/cuda_peer/device/numbers.cuh"

namespace muster::cuda_peer {

// Where this thread stands: eight lanes share a line, of which the last carries 8 bytes of data.
struct Seat {
  unsigned lane = threadIdx.x % 8;
  unsigned group = threadIdx.x / 8;
  unsigned groups = blockDim.x / 8;

  __device__ long long offset(Word line) const { return line * kLineData + lane * 16; }
  // How many of this lane's bytes lie before `end`.
  __device__ long long left(Word line, Word end) const {
    const long long here = static_cast<long long>(end) - offset(line);
    return lane == 7 && here > 8 ? 8 : here;
  }
};

// One channel's lines. Rounds are counted in the heap: a launch that is replayed goes on counting.
template <unsigned N>
class Lines {
 public:
  __device__ explicit Lines(const Args& args)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].epoch),
        patience_(args) {}

  __device__ __forceinline__ void begin() { epoch_ = load_word(counter_); }
  __device__ __forceinline__ void next_round() { ++epoch_; }
  // Between rounds of one launch.
  __device__ __forceinline__ void barrier() { __syncthreads(); }
  __device__ __forceinline__ void end() {
    __syncthreads();
    if (threadIdx.x == 0) *counter_ = epoch_;
  }

  __device__ __forceinline__ Packet read(const Byte* base, Word line, Word end, bool aligned) const {
    return load_data<false>(base + seat.offset(line), seat.left(line, end), aligned);
  }
  __device__ __forceinline__ void write(Byte* base, Word line, Word end, bool aligned,
                                        Packet p) const {
    store_data<false>(base + seat.offset(line), seat.left(line, end), aligned, p);
  }

  // Line `index` of this round's slot at rank `to`.
  __device__ __forceinline__ void send(unsigned to, unsigned index, Packet p) const {
    if (seat.lane == 7) p.high = epoch_;
    store_shared(args_.heap[to] + place(args_.rank, index), p);
  }
  __device__ __forceinline__ Packet look(unsigned from, unsigned index) const {
    return load_shared(args_.heap[args_.rank] + place(from, index));
  }
  // Whether none of the warp's lanes misses something.
  __device__ __forceinline__ bool missing(Packet p, bool wanted) const {
    return wanted && seat.lane == 7 && p.high != epoch_;
  }
  // Looks again until every line that the warp wants is there.
  template <unsigned U>
  __device__ __forceinline__ void complete(unsigned from, const unsigned (&index)[U],
                                           const bool (&wanted)[U], Packet (&p)[U]) {
    while (true) {
      bool any = false;
#pragma unroll
      for (unsigned u = 0; u < U; ++u) any |= missing(p[u], wanted[u]);
      if (!__any_sync(0xffffffffu, any) || !patience_.again(from)) return;
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        if (wanted[u]) p[u] = look(from, index[u]);
      }
    }
  }

  Seat seat;

 private:
  __device__ __forceinline__ Word place(unsigned source, unsigned index) const {
    return Heap{N}.slot(blockIdx.x, static_cast<unsigned>(epoch_) % kLineSlots, source) +
           Word(index) * kLineBytes + seat.lane * 16;
  }

  const Args& args_;
  Word* counter_;
  Word epoch_ = 0;
  Patience patience_;
};

// The lines of one round of this block: U per group of lanes.
template <unsigned U>
struct Round {
  Word line[U];       // of the whole message
  unsigned index[U];  // in the slot
  bool valid[U];

  // The first line of round q, and whether the block has a part in it.
  __device__ static Word first(unsigned q, const Seat& seat) {
    return (Word(q) * gridDim.x + blockIdx.x) * (seat.groups * U);
  }
  __device__ Round(Word base, Word lines, const Seat& seat) {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      index[u] = u * seat.groups + seat.group;
      line[u] = base + index[u];
      valid[u] = line[u] < lines;
    }
  }
};

}  // namespace muster::cuda_peer
