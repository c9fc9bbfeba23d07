// Marked lines: 128 bytes of data and nothing beside them. A line is there when its last word is no
// longer the mark; whoever has taken it puts the mark back. So nothing but data crosses the link, and
// loads and stores are whole packets. Operands of reductions only: where the last word of an operand's
// line happens to be the mark, which is a NaN in every type (or two), another NaN takes its place.
//
// Why a line may be sent again. Launches take turns with two slots. A launch ends when each block has
// taken a line of every peer, and a peer sends when its launch before has ended, marks put back
// included. When rank r sends in launch k, its launch k-1 is over; so every peer's launch k-2 was,
// which is the last that used the slot. Within a launch a place is sent to once, or, in a ring, again
// after R packets of the same thread. Thread t of a rank takes what thread t of its peers sends. Each
// sends packet i + D + 1 after it has taken packet i and put its mark back, and fences its marks every
// K packets. A thread sends packet q + R when it has taken q + R - 1 - D of the peer, which the peer
// has sent behind a fence that follows the mark of q, as long as R >= K + 2D + 2.
//
// Putting a mark back and sending again without a launch's end or a fence between them is what must not
// be done: the mark may land after the peer's next line. Needs NVLink, as lines do.
#pragma once

#include "plugins/backends/cuda_peer/device/once.cuh"

namespace muster::cuda_peer {

__device__ __forceinline__ void load_packet_if(bool wanted, const Byte* at, Packet& p) {
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %3, 0; @p ld.global.v2.u64 {%0, %1}, [%2]; }"
               : "+l"(p.low), "+l"(p.high)
               : "l"(at), "r"(static_cast<unsigned>(wanted))
               : "memory");
}
__device__ __forceinline__ void store_packet_if(bool wanted, Byte* at, Packet p) {
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %3, 0; @p st.global.v2.u64 [%0], {%1, %2}; }" ::"l"(at),
               "l"(p.low), "l"(p.high), "r"(static_cast<unsigned>(wanted))
               : "memory");
}
__device__ __forceinline__ void store_shared_if(bool wanted, Byte* at, Packet p) {
  asm volatile(
      "{ .reg .pred p; setp.ne.u32 p, %3, 0; @p st.volatile.global.v2.u64 [%0], {%1, %2}; }" ::"l"(at),
      "l"(p.low), "l"(p.high), "r"(static_cast<unsigned>(wanted))
      : "memory");
}
__device__ __forceinline__ void put_mark_if(bool wanted, Byte* line_end) {
  asm volatile("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p st.volatile.global.u32 [%0], %1; }" ::"l"(
                   line_end - 4),
               "r"(kMark), "r"(static_cast<unsigned>(wanted))
               : "memory");
}
__device__ __forceinline__ bool is_mark(Packet p) {
  return static_cast<unsigned>(p.high >> 32) == kMark;
}

// U packets of a thread, `stride` bytes apart, of which the first lies at `offset` of `bytes`.
template <unsigned U>
struct MarkedPackets {
  Word offset;
  unsigned stride;
  int left[U];    // bytes of this thread, 16 at most; not positive: none
  bool valid[U];  // the line exists

  __device__ __forceinline__ MarkedPackets(Word the_offset, unsigned the_stride, Word bytes)
      : offset(the_offset), stride(the_stride) {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      const Word at = offset + Word(u) * stride;
      valid[u] = (at & ~Word(kLineBytes - 1)) < bytes;
      left[u] = static_cast<int>(max(-1ll, min(static_cast<long long>(bytes - at), 16ll)));
    }
  }
  // Of a buffer whose packets lie where its first one does.
  __device__ __forceinline__ void read(const Byte* at, bool aligned, Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      p[u] = {0, 0};
      load_packet_if(aligned && left[u] == 16, at + Word(u) * stride, p[u]);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (left[u] > 0 && !(aligned && left[u] == 16)) {
        p[u] = load_few_apart(at + Word(u) * stride, left[u]);
      }
    }
  }
  __device__ __forceinline__ void write(Byte* at, bool aligned, const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      store_packet_if(aligned && left[u] == 16, at + Word(u) * stride, p[u]);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (left[u] > 0 && !(aligned && left[u] == 16)) {
        store_few_apart(at + Word(u) * stride, left[u], p[u].low, p[u].high);
      }
    }
  }
};

template <unsigned N>
class Marks {
 public:
  // Before the launch's turn. place: where this thread's packets lie in a slot.
  __device__ __forceinline__ Marks(const Args& args, Word place)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].turn),
        here_(args.heap[args.rank] + Heap{N}.marks(0, 1) + place),
        patience_(args) {
#pragma unroll
    for (unsigned d = 1; d < N; ++d) {
      there_[d] = args.heap[(args.rank + d) % N] + Heap{N}.marks(0, d) + place;
      asm volatile("" : "+l"(there_[d]));
    }
    asm volatile("" : "+l"(counter_), "+l"(here_));
  }

  // When it is the launch's turn.
  __device__ __forceinline__ void begin() { turn_ = load_word(counter_); }
  // Once the thread knows its slot.
  __device__ __forceinline__ void choose_slot() {
    slot_ = turn_ % kMarkSlots * ((N - 1) * Heap{N}.mark_bytes());
    if (threadIdx.x >= 32) asm volatile("bar.arrive 4, %0;" ::"r"(blockDim.x) : "memory");
  }
  // A launch counts in all channels, also where it has no block.
  __device__ __forceinline__ void end() {
    if (threadIdx.x >= 32) return;
    asm volatile("bar.sync 4, %0;" ::"r"(blockDim.x) : "memory");
    auto* const counters = reinterpret_cast<Counters*>(args_.heap[args_.rank]);
    for (unsigned c = blockIdx.x + threadIdx.x * gridDim.x; c < kLineChannels; c += 32 * gridDim.x) {
      counters[c].turn = turn_ + 1;
    }
  }

  // This thread is the last of its line.
  __device__ __forceinline__ static bool is_last() { return threadIdx.x % 8 == 7; }
  // Data that cannot be taken for the mark. What a rank adds of its own goes through here too.
  __device__ __forceinline__ static Packet unmarked(Packet p) {
    if (is_last() && is_mark(p)) p.high -= Word(1) << 32;
    return p;
  }

  // An operand of this rank, as it may be sent.
  template <unsigned U>
  __device__ __forceinline__ static void read(const MarkedPackets<U>& packets, const Byte* at,
                                              bool aligned, Packet (&p)[U]) {
    packets.read(at, aligned, p);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) p[u] = unmarked(p[u]);
  }
  // To every peer, `skip` bytes behind this thread's place.
  template <unsigned U>
  __device__ __forceinline__ void send(const MarkedPackets<U>& packets, Word skip,
                                       const Packet (&p)[U]) const {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
#pragma unroll
      for (unsigned d = 1; d < N; ++d) {
        store_shared_if(packets.valid[u], there_[d] + slot_ + skip + Word(u) * packets.stride, p[u]);
      }
    }
  }
  // What all ranks have sent, in their order; of two ranks the own one is the first.
  template <unsigned U>
  __device__ __forceinline__ void take(const MarkedPackets<U>& packets, Word skip,
                                       const Packet (&own)[U], Packet (&got)[N][U]) {
    look(packets, skip, got);
    complete(packets, skip, own, got);
  }
  template <unsigned U>
  __device__ __forceinline__ void look(const MarkedPackets<U>& packets, Word skip,
                                       Packet (&got)[N][U]) const {
#pragma unroll
    for (unsigned k = 0; k < N; ++k) {
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        got[k][u] = {0, 0};
        load_shared_if(is_peer(k) && packets.valid[u], at(k, skip) + Word(u) * packets.stride,
                       got[k][u]);
      }
    }
  }
  // Looks again until all is there: at the first line of the warp that is missing, and, once it has
  // come, at all later ones. Looking at everything all the time would take the second-level cache's
  // bandwidth from what arrives.
  template <unsigned U>
  __device__ __forceinline__ void complete(const MarkedPackets<U>& packets, Word skip,
                                           const Packet (&own)[U], Packet (&got)[N][U]) {
#pragma unroll
    for (unsigned k = 0; k < N; ++k) {
      if (!is_peer(k)) {
#pragma unroll
        for (unsigned u = 0; u < U; ++u) got[k][u] = own[u];
        continue;
      }
      Byte* const from = at(k, skip);
      const auto look_again = [&](unsigned u) {
        load_shared_if(packets.valid[u], from + Word(u) * packets.stride, got[k][u]);
      };
      const auto missing = [&](unsigned u) {
        const bool mine = packets.valid[u] && is_last() && is_mark(got[k][u]);
        return __any_sync(0xffffffffu, mine) != 0;
      };
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        if (!missing(u)) continue;
        do {
          look_again(u);
        } while (missing(u) && patience_.again(source_of(k)));
#pragma unroll
        for (unsigned later = u + 1; later < U; ++later) {
          if (missing(later)) look_again(later);
        }
      }
    }
  }
  // After take.
  template <unsigned U>
  __device__ __forceinline__ void put_back(const MarkedPackets<U>& packets, Word skip) const {
#pragma unroll
    for (unsigned k = 0; k < N; ++k) {
      if (!is_peer(k)) continue;
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        put_mark_if(packets.valid[u] && is_last(), at(k, skip) + Word(u) * packets.stride + 16);
      }
    }
  }
  // What was put back comes before all that this thread sends from now on, for whoever takes it and
  // sends in turn: a thread of another device.
  __device__ __forceinline__ static void fence() {
    asm volatile("fence.acq_rel.sys;" ::: "memory");
  }

 private:
  __device__ __forceinline__ bool is_peer(unsigned k) const {
    return N == 2 ? k == 1 : k != args_.rank;
  }
  __device__ __forceinline__ unsigned source_of(unsigned k) const {
    return N == 2 ? (args_.rank + k) % 2 : k;
  }
  __device__ __forceinline__ Byte* at(unsigned k, Word skip) const {
    // A peer's place is by its distance before this rank.
    const unsigned distance = N == 2 ? 1 : (args_.rank + N - k) % N;
    return here_ + slot_ + skip + (N == 2 ? 0 : (distance - 1) * Heap{N}.mark_bytes());
  }

  const Args& args_;
  Word* counter_;
  Byte* here_;
  Byte* there_[N];  // by distance; the first is not used
  Word turn_ = 0;
  Word slot_ = 0;
  Patience patience_;
};

}  // namespace muster::cuda_peer
