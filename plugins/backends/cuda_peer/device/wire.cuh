// What kernels do to memory that several devices see: packets, waits with a limit, the order of
// launches. Every function is called by whole warps.
#pragma once

#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {

struct Packet {
  Word low, high;
};

// Accesses of 16 bytes that no cache of the multiprocessor answers. Eight lanes that store to one
// line of 128 bytes in one instruction write it as a whole.
__device__ __forceinline__ Packet load_shared(const void* at) {
  Packet p;
  asm volatile("ld.volatile.global.v2.u64 {%0, %1}, [%2];" : "=l"(p.low), "=l"(p.high) : "l"(at) : "memory");
  return p;
}
__device__ __forceinline__ void store_shared(void* at, Packet p) {
  asm volatile("st.volatile.global.v2.u64 [%0], {%1, %2};" ::"l"(at), "l"(p.low), "l"(p.high) : "memory");
}
// For what a release shows later.
__device__ __forceinline__ void store_plain(void* at, Packet p) {
  asm volatile("st.global.v2.u64 [%0], {%1, %2};" ::"l"(at), "l"(p.low), "l"(p.high) : "memory");
}
__device__ __forceinline__ Word load_word(const void* at) {
  Word w;
  asm volatile("ld.volatile.global.u64 %0, [%1];" : "=l"(w) : "l"(at) : "memory");
  return w;
}
__device__ __forceinline__ void store_word(void* at, Word w) {
  asm volatile("st.volatile.global.u64 [%0], %1;" ::"l"(at), "l"(w) : "memory");
}
__device__ __forceinline__ Word load_acquire(const void* at) {
  Word w;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(w) : "l"(at) : "memory");
  return w;
}
// Everything that the block has written before its last barrier comes first.
__device__ __forceinline__ void store_release(void* at, Word w) {
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(at), "l"(w) : "memory");
}

// The next kernel of the stream may be put in place; ours begins once the one before is done with
// all its writes. Nothing of a call's memory, and no counter, is touched before.
__device__ __forceinline__ void begin_in_order() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Bounds the waits of one kernel. A wait that fails leaves its cause in the control page, and
// says so in the rank's heap; from then on nothing in this kernel waits, and the next kernels give up at
// their first long look.
//
// The control page lies in host memory. While the links are full a load from there takes a tenth of a
// millisecond and holds up what arrives meanwhile, in all blocks at once: it is looked at now and
// then only, by waits that are far longer than any that ends well should be.
class Patience {
 public:
  __device__ explicit Patience(const Args& args) : args_(args) {}

  // Called by a whole warp after each look in vain: false when there is no use in looking on.
  __device__ __forceinline__ bool again(unsigned peer) {
    if (++looks_ % kLooks == 0) started_ = look_around(args_.waiting, looks_, started_, peer);
    return started_ != kFailed;
  }

 private:
  static constexpr unsigned kLooks = 1024;              // about half a millisecond
  static constexpr unsigned kLooksAtHost = 64 * kLooks;  // for an abort
  static constexpr Word kFailed = ~Word(0);

  // When the waiting began, kFailed when it is over.
  __device__ __noinline__ static Word look_around(Waiting* waiting, unsigned looks, Word started,
                                                  unsigned peer) {
    Word now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    if (started == 0) started = now;
    Control* const control = waiting->control;
    const bool known = load_word(&waiting->failed) != 0;
    const bool late = started != kFailed && now - started > waiting->wait_ns;
    const bool aborted = looks % kLooksAtHost == 0 && load_word(&control->abort) != 0;
    // The lanes of a warp stay together.
    if (!__any_sync(0xffffffffu, started == kFailed || aborted || late || known)) return started;
    if (!known && threadIdx.x % 32 == 0) {
      const Word kind = aborted ? kErrorAborted : kErrorTimeout;
      if (load_word(&control->error) == 0) {
        store_word(&control->error, Word(1) << 32 | kind << 8 | peer);
      }
      store_word(&waiting->failed, 1);
    }
    return kFailed;
  }

  const Args& args_;
  Word started_ = 0;
  unsigned looks_ = 0;
};

// What this rank tells of its buffer in this launch.
__device__ __forceinline__ Word told_by(const Args& args) {
  return args.told_at == nullptr ? args.told : load_word(args.told_at);
}
// Where this rank has the buffer that another one has told of.
__device__ __forceinline__ Byte* told_place(const Args& args, unsigned rank, Word told) {
  const auto region = static_cast<unsigned>(told >> kToldOffsetBits) - 1;
  const Word offset = told & ((Word(1) << kToldOffsetBits) - 1);
  return reinterpret_cast<Byte*>(load_word(args.heap[args.rank] + region_at(region, rank))) +
         offset;
}

// Ends of messages and unaligned buffers: the first `left` of 16 bytes.
__device__ __forceinline__ Packet load_few(const Byte* at, long long left) {
  Packet p{0, 0};
  if (((reinterpret_cast<Word>(at) | static_cast<Word>(left)) & 1) == 0) {
    const auto* const pairs = reinterpret_cast<const unsigned short*>(at);
#pragma unroll 1
    for (int i = 0; i < 8; ++i) {
      if (2 * i < left) (i < 4 ? p.low : p.high) |= Word(pairs[i]) << (i % 4 * 16);
    }
    return p;
  }
#pragma unroll 1
  for (int i = 0; i < 16; ++i) {
    if (i < left) (i < 8 ? p.low : p.high) |= Word(at[i]) << (i % 8 * 8);
  }
  return p;
}
__device__ __forceinline__ void store_few(Byte* at, long long left, Word low, Word high) {
  if (((reinterpret_cast<Word>(at) | static_cast<Word>(left)) & 1) == 0) {
    auto* const pairs = reinterpret_cast<unsigned short*>(at);
#pragma unroll 1
    for (int i = 0; i < 8; ++i) {
      if (2 * i < left) pairs[i] = static_cast<unsigned short>((i < 4 ? low : high) >> (i % 4 * 16));
    }
    return;
  }
#pragma unroll 1
  for (int i = 0; i < 16; ++i) {
    if (i < left) at[i] = static_cast<Byte>((i < 8 ? low : high) >> (i % 8 * 8));
  }
}

// Of another rank's buffer, aligned to 16: around the caches, which know nothing of its stores.
__device__ __forceinline__ Packet load_remote(const Byte* at, long long left) {
  if (left >= 16) return load_shared(at);
  Packet p{0, 0};
  const auto* const bytes = static_cast<const volatile Byte*>(at);
#pragma unroll 1
  for (int i = 0; i < 16; ++i) {
    if (i < left) (i < 8 ? p.low : p.high) |= Word(bytes[i]) << (i % 8 * 8);
  }
  return p;
}

// Apart, where small messages should not have to go past their code.
__device__ __noinline__ Packet load_few_apart(const Byte* at, long long left) {
  return load_few(at, left);
}
__device__ __noinline__ void store_few_apart(Byte* at, long long left, Word low, Word high) {
  store_few(at, left, low, high);
}

// Up to 16 bytes of a program's buffer, which may begin anywhere; `left` of them are there, the rest
// reads as zero. `aligned`: buffer and offset are multiples of 8, or of 16 when Whole.
template <bool Whole>
__device__ __forceinline__ Packet load_data(const Byte* at, long long left, bool aligned) {
  Packet p{0, 0};
  if (aligned) {
    if (Whole && left >= 16) {
      asm volatile("ld.global.v2.u64 {%0, %1}, [%2];" : "=l"(p.low), "=l"(p.high) : "l"(at) : "memory");
      return p;
    }
    if (left >= 8) p.low = *reinterpret_cast<const Word*>(at);
    if (left >= 16) p.high = *reinterpret_cast<const Word*>(at + 8);
    if (left >= 16 || left == 8) return p;
  }
  if (left <= 0) return p;
  return Whole ? load_few(at, left) : load_few_apart(at, left);
}
template <bool Whole>
__device__ __forceinline__ void store_data(Byte* at, long long left, bool aligned, Packet p) {
  if (aligned) {
    if (Whole && left >= 16) {
      asm volatile("st.global.v2.u64 [%0], {%1, %2};" ::"l"(at), "l"(p.low), "l"(p.high) : "memory");
      return;
    }
    if (left >= 8) *reinterpret_cast<Word*>(at) = p.low;
    if (left >= 16) *reinterpret_cast<Word*>(at + 8) = p.high;
    if (left >= 16 || left == 8) return;
  }
  if (left <= 0) return;
  if (Whole) {
    store_few(at, left, p.low, p.high);
  } else {
    store_few_apart(at, left, p.low, p.high);
  }
}

// The sum over the lanes of a warp, the same in all.
__device__ __forceinline__ float sum_over_warp(float mine) {
#pragma unroll
  for (int o = 16; o > 0; o /= 2) mine += __shfl_xor_sync(0xffffffffu, mine, o);
  return mine;
}

__device__ __forceinline__ bool multiple_of(Word unit, const void* a, const void* b, Word c) {
  return ((reinterpret_cast<Word>(a) | reinterpret_cast<Word>(b) | c) & (unit - 1)) == 0;
}

}  // namespace muster::cuda_peer
