// Stages: pieces of a large message that a rank writes into its peers' heaps with plain stores, and
// then shows with a flag, a step at a time. Step i of a channel uses stage i % kStages. A stage is
// read kLag steps after it was shown, so that the link stays busy; in all_reduce results follow in
// stages of their own, again kLag steps later. (A launch may use a smaller lag.)
//
// Why a stage may be written again, with d = kLag: a block shows step i, then reads step i-d, and
// ends each with a barrier. When rank r writes step i it has read step i-1-d of every peer p, which p
// showed after it had read step i-2-2d. So what was read last in that stage, step i-kStages, is read
// once kStages >= 2d+2. Results: r writes those of step j after reading operands of step j, which p
// showed in the iteration after the one that took results j-1-2d. A launch ends when its last step
// was read, so the next one finds more done, not less.
//
// With the first step of operands goes what a rank tells of its result's buffer. When all ranks have
// told of one that lies in registered memory, results go there instead of into stages: nothing is
// to be copied out of them, and only the last step is shown. Every rank knows what all have told, so
// all of them decide alike. A result of step j may be stored at a peer once operands of step j have
// come from there: it has begun the call, and has read what lay in that place of an operand in place.
//
// The order of data and flag: all threads write and arrive at a barrier; one warp, which does nothing
// else, waits there and releases at the scope of the system; one warp of a peer acquires, a barrier,
// and all threads read around the multiprocessor's cache. A release waits until all that was written
// has arrived: the warps that move data must not wait for it. Needs peer access only.
#pragma once

#include "plugins/backends/cuda_peer/device/numbers.cuh"

namespace muster::cuda_peer {

// In shared memory.
struct StageBoard {
  unsigned shown;        // how many calls of show the signalling warp has seen; by atomics
  unsigned direct;       // all ranks have told of a buffer
  Byte* at[kMaxRanks];   // where it is
};

template <unsigned N>
class Stages {
 public:
  __device__ Stages(const Args& args, StageBoard* board)
      : args_(args),
        counter_(&reinterpret_cast<Counters*>(args.heap[args.rank])[blockIdx.x].step),
        board_(board),
        patience_(args) {}

  // Threads that move data; the last warp of the block signals.
  __device__ __forceinline__ static unsigned movers() { return blockDim.x - 32; }
  __device__ __forceinline__ static bool signals() { return threadIdx.x >= movers(); }

  __device__ __forceinline__ void begin() {
    first_ = load_word(counter_);
    told_ = told_by(args_);
    if (threadIdx.x == 0) board_->shown = board_->direct = 0;
    __syncthreads();
  }
  __device__ __forceinline__ void end(Word steps) {
    __syncthreads();
    if (threadIdx.x == 0) *counter_ = first_ + steps;
  }

  // How many steps this block has.
  __device__ __forceinline__ Word steps() const {
    const Word all = (args_.piece + args_.step_bytes - 1) / args_.step_bytes;
    return all <= blockIdx.x ? 0 : (all - blockIdx.x + gridDim.x - 1) / gridDim.x;
  }
  // Where step i of this block begins in a piece.
  __device__ __forceinline__ Word offset(Word i) const {
    return (i * gridDim.x + blockIdx.x) * args_.step_bytes;
  }
  // The stage of rank `source` here, and ours at rank `to`.
  __device__ __forceinline__ Byte* here(unsigned kind, Word i, unsigned source) const {
    return args_.heap[args_.rank] + place(kind, i, source);
  }
  __device__ __forceinline__ Byte* there(unsigned kind, Word i, unsigned to) const {
    return args_.heap[to] + place(kind, i, args_.rank);
  }

  // Movers: what was written of a step may be shown. The signalling warp is at most two such calls
  // behind, for two barriers take turns.
  __device__ __forceinline__ void show() {
    if (threadIdx.x % 32 == 0) {
      while (atomicOr(&board_->shown, 0u) + 1 < called_) {
      }
    }
    __syncwarp();
    if (called_++ % 2 == 0) {
      asm volatile("bar.arrive 1, %0;" ::"r"(blockDim.x) : "memory");
    } else {
      asm volatile("bar.arrive 2, %0;" ::"r"(blockDim.x) : "memory");
    }
  }
  // Movers, once `meet` has returned; the signalling warp, once it has seen a later show.
  __device__ __forceinline__ bool direct() const {
    return *static_cast<volatile unsigned*>(&board_->direct) != 0;
  }
  // The buffer of a rank, if direct.
  __device__ __forceinline__ Byte* at(unsigned rank) const {
    return *static_cast<Byte* volatile*>(&board_->at[rank]);
  }
  // The signalling warp's side of it, in the order of the movers' calls. When direct, only the last
  // step of what goes there is shown: `quiet` are the others.
  __device__ __forceinline__ void signal(unsigned kind, Word i, bool quiet) {
    if (called_++ % 2 == 0) {
      asm volatile("bar.sync 1, %0;" ::"r"(blockDim.x) : "memory");
    } else {
      asm volatile("bar.sync 2, %0;" ::"r"(blockDim.x) : "memory");
    }
    const unsigned to = threadIdx.x % 32;
    if (to == 0) atomicExch(&board_->shown, called_);
    if (quiet && direct()) return;
    if (to < N && to != args_.rank) {
      Byte* const flag = args_.heap[to] + Heap{N}.flag(kind, blockIdx.x, args_.rank);
      if (kind == kStageA && i == 0) *reinterpret_cast<Word*>(flag + kToldInFlag) = told_;
      store_release(flag, first_ + i + 1);
    }
  }
  // Movers: until every peer has shown step i.
  __device__ __forceinline__ void await(unsigned kind, Word i) {
    if (threadIdx.x < 32) await_flags(kind, i);
    asm volatile("bar.sync 3, %0;" ::"r"(movers()) : "memory");
  }
  // The same for the first operands; whether results go into the peers' buffers.
  __device__ __forceinline__ bool meet() {
    if (threadIdx.x < 32) {
      await_flags(kStageA, 0);
      if (told_ != kToldNothing) find_buffers();
    }
    asm volatile("bar.sync 3, %0;" ::"r"(movers()) : "memory");
    return direct();
  }

 private:
  __device__ __forceinline__ Word place(unsigned kind, Word i, unsigned source) const {
    return Heap{N}.stage(kind, blockIdx.x, static_cast<unsigned>((first_ + i) % kStages), source);
  }
  // By one warp; lane r looks at rank r.
  __device__ __forceinline__ const Byte* flag_of(unsigned kind) const {
    const unsigned from = threadIdx.x < N ? threadIdx.x : args_.rank;
    return args_.heap[args_.rank] + Heap{N}.flag(kind, blockIdx.x, from);
  }
  __device__ __forceinline__ bool is_peer() const {
    return threadIdx.x < N && threadIdx.x != args_.rank;
  }
  __device__ __forceinline__ void await_flags(unsigned kind, Word i) {
    const Byte* const flag = flag_of(kind);
    while (__any_sync(0xffffffffu, is_peer() && load_acquire(flag) < first_ + i + 1)) {
      if (!patience_.again(kAnyPeer)) break;
    }
  }
  __device__ __forceinline__ void find_buffers() {
    Word told = told_;
    if (is_peer()) told = load_word(flag_of(kStageA) + kToldInFlag);
    if (!__all_sync(0xffffffffu, told != kToldNothing)) return;
    if (is_peer() && told != kToldNotNeeded) {
      board_->at[threadIdx.x] = told_place(args_, threadIdx.x, told);
    }
    if (threadIdx.x == 0) board_->direct = 1;
  }

  const Args& args_;
  Word* counter_;
  StageBoard* board_;
  unsigned called_ = 0;
  Word first_ = 0;
  Word told_ = kToldNothing;
  Patience patience_;
};

// Bytes of a piece that exist, of pieces of `piece` bytes that together have `bytes`.
__device__ __forceinline__ long long end_of_piece(Word number, Word piece, Word bytes) {
  const Word start = number * piece;
  return start >= bytes ? 0 : static_cast<long long>(min(piece, bytes - start));
}

// Copies the part of one step: `width` bytes at most, of which `left` exist, several packets of a
// thread under way at once. A side in a heap is aligned and read around the caches; so is a peer's
// buffer, which may end anywhere.
enum class Side { kProgram, kHeap, kPeer };
template <Side kFrom, Side kTo>
__device__ __forceinline__ void copy_step(Byte* to, const Byte* from, Word width, long long left,
                                          bool aligned) {
  constexpr unsigned U = 4;
  const long long bytes = min(static_cast<long long>(width), left);
  const long long stride = (blockDim.x - 32) * 16;
  for (long long at = threadIdx.x * 16; at < bytes; at += stride * U) {
    Packet p[U];
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      const long long o = at + u * stride;
      if (o >= bytes) continue;
      p[u] = kFrom == Side::kHeap ? load_shared(from + o)
                                  : load_data<true>(from + o, bytes - o, aligned);
    }
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      const long long o = at + u * stride;
      if (o >= bytes) continue;
      if (kTo == Side::kHeap) {
        store_plain(to + o, p[u]);
      } else {
        store_data<true>(to + o, bytes - o, aligned || kTo == Side::kPeer, p[u]);
      }
    }
  }
}

}  // namespace muster::cuda_peer
