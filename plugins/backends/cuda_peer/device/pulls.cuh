// Pulls: every rank reads what it needs out of the others' registered buffers, after all have told
// where theirs is, and leaves when nobody reads any more. One exchange of flags before and one
// after; nothing is copied on the way.
//
// A flag and what is told are one store of 16 bytes, as lines are; data need no release, for what a
// program has written was complete before the launch's turn came. A rank that has left has read all
// that it wanted: the others' next kernels may write there. Needs NVLink, as lines do.
#pragma once

#include "plugins/backends/cuda_peer/device/line_moves.cuh"
#include "plugins/backends/cuda_peer/device/numbers.cuh"

namespace muster::cuda_peer {

template <unsigned N>
class Pulls {
 public:
  // at: shared memory for one address per rank, and one more.
  __device__ Pulls(const Args& args, const Byte** at)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].step),
        at_(at),
        patience_(args) {}

  // Until every peer's block has begun; whether all have told of a buffer.
  __device__ __forceinline__ bool enter() {
    step_ = load_word(counter_);
    told_ = told_by(args_);
    if (threadIdx.x < 32) {
      const Word told = meet();
      const bool all = __all_sync(0xffffffffu, told != kToldNothing);
      if (all && is_peer() && told != kToldNotNeeded) {
        at_[threadIdx.x] = told_place(args_, threadIdx.x, told);
      }
      if (threadIdx.x == 0) {
        at_[args_.rank] = args_.send;
        at_[N] = all ? args_.send : nullptr;
      }
    }
    ++step_;
    __syncthreads();
    return at_[N] != nullptr;
  }
  // Until every peer's block has read what it has read before it came here.
  __device__ __forceinline__ void leave() {
    __syncthreads();
    if (threadIdx.x < 32) meet();
    ++step_;
  }
  // The same for packets that nothing has been made of yet: a load that is under way may else still
  // be when the others write. `seen`: made of all of them.
  __device__ __forceinline__ void leave_with(Word seen) {
    asm volatile("{ .reg .pred p, q; setp.eq.u64 p, %0, 0; bar.red.or.pred q, 0, p; }" ::"l"(seen)
                 : "memory");
    if (threadIdx.x < 32) meet();
    ++step_;
    __syncthreads();
  }
  __device__ __forceinline__ void end() {
    if (threadIdx.x == 0) *counter_ = step_;
  }

  // Up to 16 bytes of a rank's buffer.
  __device__ __forceinline__ Packet read(unsigned rank, Word offset, long long left,
                                         bool aligned) const {
    return rank == args_.rank ? load_data<true>(args_.send + offset, left, aligned)
                              : load_remote(at_[rank] + offset, left);
  }

 private:
  __device__ __forceinline__ bool is_peer() const {
    return threadIdx.x < N && threadIdx.x != args_.rank;
  }
  // One warp; lane r meets rank r. What it has told; nothing when it has not come.
  __device__ __forceinline__ Word meet() {
    const Word wanted = step_ + 1;
    Packet theirs{wanted, told_};
    const unsigned peer = is_peer() ? threadIdx.x : args_.rank;
    const Byte* const flag = args_.heap[args_.rank] + Heap{N}.flag(kStageA, blockIdx.x, peer);
    if (is_peer()) {
      store_shared(args_.heap[peer] + Heap{N}.flag(kStageA, blockIdx.x, args_.rank), theirs);
      theirs = load_shared(flag);
    }
    while (__any_sync(0xffffffffu, theirs.low < wanted)) {
      if (!patience_.again(kAnyPeer)) break;
      if (is_peer()) theirs = load_shared(flag);
    }
    return theirs.low < wanted ? kToldNothing : theirs.high;
  }

  const Args& args_;
  Word* counter_;
  const Byte** at_;
  Word step_ = 0;
  Word told_ = kToldNothing;
  Patience patience_;
};

// Reads a piece, which begins at `shift` in every rank's buffer, of those ranks that are wanted, and
// hands it on: use(offset, bytes left, packets by rank and turn, turn). `guarded`: what is made of it
// goes where operands lie, so nobody writes what it has read before all have read as much.
template <unsigned N, unsigned U, typename Wanted, typename Use>
__device__ __forceinline__ void pull(Pulls<N>& pulls, const Args& args, Word shift, bool aligned,
                                     bool guarded, const Wanted& wanted, const Use& use) {
  const auto bytes = static_cast<long long>(args.piece);
  const long long stride = static_cast<long long>(gridDim.x) * blockDim.x * 16;
  const long long first = static_cast<long long>(blockIdx.x) * blockDim.x * 16;
  for (long long base = first; base < bytes; base += stride * U) {
    const auto offset = [&](unsigned u) { return base + u * stride + threadIdx.x * 16; };
    Packet got[N][U];
    const auto each = [&](const auto& body) {
#pragma unroll
      for (unsigned s = 0; s < N; ++s) {
#pragma unroll
        for (unsigned u = 0; u < U; ++u) body(s, offset(u), got[s][u]);
      }
    };
    each([&](unsigned s, long long o, Packet& p) {
      p = {0, 0};
      if (wanted(s) && o < bytes) p = pulls.read(s, shift + o, bytes - o, aligned);
    });
    if (guarded) {
      Word seen = 0;
      each([&](unsigned, long long, const Packet& p) { seen ^= p.low ^ p.high; });
      pulls.leave_with(seen);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (offset(u) < bytes) use(offset(u), bytes - offset(u), got, u);
    }
  }
  if (!guarded) pulls.leave();
  pulls.end();
}

// Sums this rank's piece of every operand; for all_reduce that is the whole.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void reduce_pulled(Pulls<N>& pulls, const Args& args, Word shift,
                                              bool guarded) {
  const bool aligned = multiple_of(16, args.send, args.recv, shift);
  const auto all = [](unsigned) { return true; };
  pull<N, U>(pulls, args, shift, aligned, guarded, all,
             [&](long long o, long long left, const Packet(&got)[N][U], unsigned u) {
               Sums<T> sums;
#pragma unroll
               for (unsigned s = 0; s < N; ++s) sums.take(got[s][u], s == 0, args);
               sums.finish(N, args);
               store_data<true>(args.recv + o, left, aligned, sums.packet());
             });
}

// A piece of every rank's buffer.
template <unsigned N, unsigned U, Move kMove>
__device__ __forceinline__ void move_pulled(const Args& args) {
  __shared__ const Byte* at[kMaxRanks + 1];
  Pulls<N> pulls(args, at);
  const Word shift = kMove == Move::kAllToAll ? args.rank * args.piece : 0;
  const bool aligned = multiple_of(16, args.send, args.recv, args.piece);
  const bool guarded = kMove == Move::kAllToAll && args.send == args.recv;
  begin_in_order();
  if (!pulls.enter()) {
    pulls.end();
    move_lines<N, 1, kMove>(args);
    return;
  }
  const auto wanted = [&](unsigned s) {
    if (kMove != Move::kBroadcast) {
      return s != args.rank || args.send + shift != args.recv + s * args.piece;
    }
    return s == args.root && (s != args.rank || args.send != args.recv);
  };
  pull<N, U>(pulls, args, shift, aligned, guarded, wanted,
             [&](long long o, long long left, const Packet(&got)[N][U], unsigned u) {
#pragma unroll
               for (unsigned s = 0; s < N; ++s) {
                 Byte* const to = args.recv + (kMove == Move::kBroadcast ? 0 : s * args.piece);
                 if (wanted(s)) store_data<true>(to + o, left, aligned, got[s][u]);
               }
             });
}

}  // namespace muster::cuda_peer
