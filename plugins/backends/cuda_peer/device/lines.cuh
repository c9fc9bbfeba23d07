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

// One channel's lines. Rounds are counted in the heap: a launch that is replayed goes on counting.
template <unsigned N>
class Lines {
 public:
  const Seat seat;

  // Before the launch's turn: whatever does not depend on memory is ready by then.
  __device__ __forceinline__ explicit Lines(const Args& args)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].epoch),
        here_(args.heap[args.rank] + Heap{N}.slot(blockIdx.x, 0, 0) + seat.lane * 16),
        patience_(args) {
#pragma unroll
    for (unsigned i = 1; i < N; ++i) {
      there_[i] = args.heap[(args.rank + i) % N] + Heap{N}.slot(blockIdx.x, 0, args.rank) +
                  seat.lane * 16;
      asm volatile("" ::"l"(there_[i]));
    }
    asm volatile("" ::"l"(counter_), "l"(here_));
  }

  __device__ __forceinline__ void begin() { epoch_ = load_word(counter_); }
  __device__ __forceinline__ void next_round() {
    ++epoch_;
    slot_ = static_cast<unsigned>(epoch_) % kLineSlots * (N * kSlotBytes);
  }
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

  // The lines of a round; what does not exist is zero, and not written.
  template <unsigned U>
  __device__ __forceinline__ void read(const Byte* base, const Round<U>& round, Word end,
                                       bool aligned, Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      p[u] = {0, 0};
      if (round.valid[u]) p[u] = read(base, round.line[u], end, aligned);
    }
  }
  template <unsigned U>
  __device__ __forceinline__ void write(Byte* base, const Round<U>& round, Word end, bool aligned,
                                        const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (round.valid[u]) write(base, round.line[u], end, aligned, p[u]);
    }
  }
  template <unsigned U>
  __device__ __forceinline__ void send(unsigned distance, const Round<U>& round,
                                       const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (round.valid[u]) send(distance, round.index[u], p[u]);
    }
  }
  template <unsigned U>
  __device__ __forceinline__ void send_to_all(const Round<U>& round, const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned i = 1; i < N; ++i) send(i, round, p);
  }
  // What every rank has sent so far; this rank's own is `own`.
  template <unsigned U>
  __device__ __forceinline__ void look(const Round<U>& round, const Packet (&own)[U],
                                       Packet (&got)[N][U]) const {
#pragma unroll
    for (unsigned s = 0; s < N; ++s) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        got[s][u] = own[u];
        if (s != args_.rank && round.valid[u]) got[s][u] = look(s, round.index[u]);
      }
    }
  }

  // Line `index` of this round's slot at the rank that is `distance` after this one.
  __device__ __forceinline__ void send(unsigned distance, unsigned index, Packet p) const {
    if (seat.lane == 7) p.high = epoch_;
    store_shared(there_[distance] + slot_ + index * kLineBytes, p);
  }
  __device__ __forceinline__ Packet look(unsigned from, unsigned index) const {
    return load_shared(here_ + slot_ + from * kSlotBytes + index * kLineBytes);
  }
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

 private:
  static constexpr unsigned kSlotBytes = kLinesPerSlot * kLineBytes;

  const Args& args_;
  Word* counter_;
  const Byte* here_;
  Byte* there_[N];  // by distance; the first is not used
  Word epoch_ = 0;
  unsigned slot_ = 0;
  Patience patience_;
};

}  // namespace muster::cuda_peer
