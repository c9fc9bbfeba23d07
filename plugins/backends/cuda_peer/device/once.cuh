// Lines of launches that need one round: every block has all of its lines under way at once. As
// lines.cuh, whose slots and epochs they share; what differs is the order of things. Addresses and
// limits are ready before the launch's turn, so that between it and the first store there is nothing
// but the load of what is stored. Sums, which matter, are in the way of the code; all that is rare
// (other reductions, factors, ends that are no whole words, unaligned buffers) is apart from it.
#pragma once

#include "plugins/backends/cuda_peer/device/line_reductions.cuh"

namespace muster::cuda_peer {

// Loads and stores that are not made where there is nothing: without a branch.
__device__ __forceinline__ void load_word_if(bool wanted, const Byte* at, Word& w) {
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p ld.global.u64 %0, [%1]; }"
               : "+l"(w)
               : "l"(at), "r"(static_cast<unsigned>(wanted))
               : "memory");
}
__device__ __forceinline__ void store_word_if(bool wanted, Byte* at, Word w) {
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p st.global.u64 [%0], %1; }" ::"l"(at),
               "l"(w), "r"(static_cast<unsigned>(wanted))
               : "memory");
}
__device__ __forceinline__ void load_shared_if(bool wanted, const Byte* at, Packet& p) {
  asm volatile(
      "{ .reg .pred p; setp.ne.u32 p, %3, 0; @p ld.volatile.global.v2.u64 {%0, %1}, [%2]; }"
      : "+l"(p.low), "+l"(p.high)
      : "l"(at), "r"(static_cast<unsigned>(wanted))
      : "memory");
}

// Where a thread's first packet lies in the program's buffers. Addresses are ready from here on: the
// compiler may not put them off.
struct Ends {
  const bool aligned;  // both, and `apart`, are multiples of `unit`
  const Byte* from;
  Byte* to;

  __device__ __forceinline__ Ends(const Args& args, Word offset, Word unit, Word apart)
      : aligned(multiple_of(unit, args.send, args.recv, apart)),
        from(args.send + offset),
        to(args.recv + offset) {
    asm volatile("" : "+l"(from), "+l"(to));
  }
};

// U packets of a thread, one of each of its lines, in a message of `bytes` that begins at line
// `first` of it: where they lie from its begin, and what there is of each.
template <unsigned U>
struct OncePackets {
  Word offset;      // of the first; the others follow at `stride`
  unsigned stride;
  int left[U];      // bytes of this thread, 16 at most; 0: none
  bool valid[U];    // the line exists, although this thread may have nothing in it

  __device__ __forceinline__ OncePackets(Word first, Word bytes, const Seat& seat) {
    offset = (first + seat.group) * kLineData + seat.lane * 16;
    stride = seat.groups * kLineData;
    const long long most = seat.lane == 7 ? 8 : 16;
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      const long long here = static_cast<long long>(bytes - offset) - u * static_cast<long long>(stride);
      valid[u] = here + seat.lane * 16 > 0;
      left[u] = static_cast<int>(max(0ll, min(here, most)));
    }
  }
  __device__ __forceinline__ static bool whole(int left, bool aligned) {
    return left == 0 || (aligned && left % 8 == 0);
  }
  __device__ __forceinline__ void read(const Byte* at, bool aligned, Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      p[u] = {0, 0};
      load_word_if(aligned && left[u] >= 8, at + u * stride, p[u].low);
      load_word_if(aligned && left[u] >= 16, at + u * stride + 8, p[u].high);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (!whole(left[u], aligned)) p[u] = load_few_apart(at + u * stride, left[u]);
    }
  }
  __device__ __forceinline__ void write(Byte* at, bool aligned, const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      store_word_if(aligned && left[u] >= 8, at + u * stride, p[u].low);
      store_word_if(aligned && left[u] >= 16, at + u * stride + 8, p[u].high);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (!whole(left[u], aligned)) store_few_apart(at + u * stride, left[u], p[u].low, p[u].high);
    }
  }
};

// The one round of a channel: U lines per group of lanes, the same at every rank.
template <unsigned N, unsigned U>
class Once {
 public:
  const Seat seat;

  __device__ __forceinline__ explicit Once(const Args& args)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].epoch),
        patience_(args) {
    const Word in_slot = seat.group * kLineBytes + seat.lane * 16;
    here_ = args.heap[args.rank] + Heap{N}.slot(blockIdx.x, 0, N == 2 ? 1 - args.rank : 0) + in_slot;
#pragma unroll
    for (unsigned i = 1; i < N; ++i) {
      there_[i] = args.heap[(args.rank + i) % N] + Heap{N}.slot(blockIdx.x, 0, args.rank) + in_slot;
      asm volatile("" : "+l"(there_[i]));
    }
    asm volatile("" : "+l"(counter_), "+l"(here_));
  }

  // When it is the launch's turn.
  __device__ __forceinline__ void begin() { epoch_ = load_word(counter_) + 1; }
  // To every peer the same.
  __device__ __forceinline__ void send(const bool (&valid)[U], Packet (&p)[U]) {
    slot_ = static_cast<unsigned>(epoch_) % kLineSlots * (N * kSlotBytes);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      Packet line = p[u];
      if (seat.lane == 7) line.high = epoch_;
#pragma unroll
      for (unsigned i = 1; i < N; ++i) {
        if (valid[u]) store_shared(there_[i] + slot_ + u * stride(), line);
      }
    }
    arrive();
  }
  // To each peer what `read` gives for it; `own`: what it gives for this rank.
  template <typename Read>
  __device__ __forceinline__ void send_each(const bool (&valid)[U], const Read& read,
                                            Packet (&own)[U]) {
    Packet mine[N][U];  // by distance
#pragma unroll
    for (unsigned k = 0; k < N; ++k) read((args_.rank + k) % N, mine[k]);
    slot_ = static_cast<unsigned>(epoch_) % kLineSlots * (N * kSlotBytes);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      own[u] = mine[0][u];
#pragma unroll
      for (unsigned k = 1; k < N; ++k) {
        if (seat.lane == 7) mine[k][u].high = epoch_;
        if (valid[u]) store_shared(there_[k] + slot_ + u * stride(), mine[k][u]);
      }
    }
    arrive();
  }
  // What all ranks have sent, in their order; `own` stands for this rank's. Of two ranks the own one
  // is always the first: source_of tells.
  __device__ __forceinline__ void take(const bool (&valid)[U], const Packet (&own)[U],
                                       Packet (&got)[N][U]) {
    take_if([&](unsigned, unsigned u) { return valid[u]; }, own, got);
  }
  // The same of those lines that `sent` says of a place and a line: at least one from each rank.
  template <typename Sent>
  __device__ __forceinline__ void take_if(const Sent& sent, const Packet (&own)[U],
                                          Packet (&got)[N][U]) {
#pragma unroll
    for (unsigned k = 0; k < N; ++k) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        got[k][u] = own[u];
        load_shared_if(is_peer(k) && sent(k, u), at(k, u), got[k][u]);
      }
    }
#pragma unroll
    for (unsigned k = N == 2 ? 1 : 0; k < N; ++k) {
      while (true) {
        bool missing = false;
#pragma unroll
        for (unsigned u = 0; u < U; ++u) {
          missing |= is_peer(k) && sent(k, u) && seat.lane == 7 && got[k][u].high != epoch_;
        }
        if (!__any_sync(0xffffffffu, missing) || !patience_.again(source_of(k))) break;
#pragma unroll
        for (unsigned u = 0; u < U; ++u) {
          load_shared_if(is_peer(k) && sent(k, u), at(k, u), got[k][u]);
        }
      }
    }
  }
  // The rank whose packets stand in place k of what was taken.
  __device__ __forceinline__ unsigned source_of(unsigned k) const {
    return N == 2 ? (args_.rank + k) % 2 : k;
  }
  __device__ __forceinline__ void end() {
    if (threadIdx.x >= 32) return;
    asm volatile("bar.sync 4, %0;" ::"r"(blockDim.x) : "memory");
    if (threadIdx.x == 0) *counter_ = epoch_;
  }

 private:
  static constexpr unsigned kSlotBytes = kLinesPerSlot * kLineBytes;
  // Whoever has read the counter says so; nobody waits for it before the first warp ends.
  __device__ __forceinline__ void arrive() {
    if (threadIdx.x >= 32) asm volatile("bar.arrive 4, %0;" ::"r"(blockDim.x) : "memory");
  }
  __device__ __forceinline__ unsigned stride() const { return seat.groups * kLineBytes; }
  __device__ __forceinline__ bool is_peer(unsigned k) const {
    return N == 2 ? k == 1 : k != args_.rank;
  }
  __device__ __forceinline__ const Byte* at(unsigned k, unsigned u) const {
    // Of two ranks the peer's place is in here_.
    return here_ + slot_ + (N == 2 ? 0 : k * kSlotBytes) + u * stride();
  }

  const Args& args_;
  Word* counter_;
  const Byte* here_;
  Byte* there_[N];  // by distance; the first is not used
  Word epoch_ = 0;
  unsigned slot_ = 0;
  Patience patience_;
};

// Everything but plain sums.
template <typename T, unsigned N>
__device__ __noinline__ Packet combine_apart(const Packet (&got)[N], const Args& args) {
  Sums<T> sums;
#pragma unroll
  for (unsigned s = 0; s < N; ++s) sums.take(got[s], s == 0, args);
  sums.finish(N, args);
  return sums.packet();
}

// What ranks have sent, combined in their order. A sum of two has the same bits either way.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void combine_once(const Args& args, const Packet (&got)[N][U],
                                             Packet (&out)[U]) {
  if (args.redop == kSum && args.scale == 1.0f) {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      Sums<T> sums = Sums<T>::of(got[0][u]);
#pragma unroll
      for (unsigned s = 1; s < N; ++s) sums.add(got[s][u]);
      out[u] = sums.packet();
    }
    return;
  }
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    Packet column[N];
#pragma unroll
    for (unsigned k = 0; k < N; ++k) column[k] = got[k][u];
    if (N == 2 && args.rank == 1) {
      column[0] = got[1][u];
      column[1] = got[0][u];
    }
    out[u] = combine_apart<T, N>(column, args);
  }
}

// Takes what all have sent, and stores what comes of it; own: this rank's.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_once(Once<N, U>& once, const Args& args,
                                            const OncePackets<U>& packets, const Ends& ends,
                                            Packet (&own)[U]) {
  Packet got[N][U];
  once.take(packets.valid, own, got);
  combine_once<T, N, U>(args, got, own);
  packets.write(ends.to, ends.aligned, own);
  once.end();
}

// Everybody sends everything to everybody.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_once(const Args& args) {
  Once<N, U> once(args);
  const OncePackets<U> packets(Word(blockIdx.x) * (once.seat.groups * U), args.bytes, once.seat);
  const Ends ends(args, packets.offset, 8, 0);
  begin_in_order();
  once.begin();
  Packet own[U];
  packets.read(ends.from, ends.aligned, own);
  once.send(packets.valid, own);
  reduce_once<T>(once, args, packets, ends, own);
}

// Each rank reduces one piece and keeps it.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_scatter_once(const Args& args) {
  Once<N, U> once(args);
  const OncePackets<U> packets(Word(blockIdx.x) * (once.seat.groups * U), args.piece, once.seat);
  const Ends ends(args, packets.offset, 8, args.piece);
  begin_in_order();
  once.begin();
  Packet own[U];
  once.send_each(packets.valid, [&](unsigned rank, Packet (&p)[U]) {
    packets.read(ends.from + rank * args.piece, ends.aligned, p);
  }, own);
  reduce_once<T>(once, args, packets, ends, own);
}

// In one round or in several.
template <typename T, unsigned N>
__device__ __forceinline__ void reduce_scatter_by_lines(const Args& args) {
  if (args.once != 0) {
    reduce_scatter_once<T, N, 1>(args);
  } else {
    reduce_scatter_lines<T, N, 1>(args);
  }
}

}  // namespace muster::cuda_peer
