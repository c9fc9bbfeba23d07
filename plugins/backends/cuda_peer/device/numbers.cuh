// Elements in packets: f32, f16 and bf16, combined in f32 in a fixed order of ranks and rounded
// once. MUSTER_REDOP values of types.h.
#pragma once

#include "plugins/backends/cuda_peer/device/wire.cuh"

namespace muster::cuda_peer {

enum : unsigned { kSum = 1, kProd = 2, kMin = 3, kMax = 4, kAvg = 5 };

struct F32 {
  static constexpr unsigned kPerWord = 2;
  __device__ static void unpack(Word w, float* out) {
    out[0] = __uint_as_float(static_cast<unsigned>(w));
    out[1] = __uint_as_float(static_cast<unsigned>(w >> 32));
  }
  __device__ static Word pack(const float* in) {
    return Word(__float_as_uint(in[1])) << 32 | __float_as_uint(in[0]);
  }
};

struct BF16 {
  static constexpr unsigned kPerWord = 4;
  __device__ static void unpack(Word w, float* out) {
    const unsigned low = static_cast<unsigned>(w);
    const unsigned high = static_cast<unsigned>(w >> 32);
    out[0] = __uint_as_float(low << 16);
    out[1] = __uint_as_float(low & 0xffff0000u);
    out[2] = __uint_as_float(high << 16);
    out[3] = __uint_as_float(high & 0xffff0000u);
  }
  __device__ static Word pack(const float* in) {
    unsigned low, high;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(low) : "f"(in[1]), "f"(in[0]));
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(high) : "f"(in[3]), "f"(in[2]));
    return Word(high) << 32 | low;
  }
};

struct F16 {
  static constexpr unsigned kPerWord = 4;
  __device__ static void unpack(Word w, float* out) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const unsigned short bits = static_cast<unsigned short>(w >> (16 * i));
      asm("cvt.f32.f16 %0, %1;" : "=f"(out[i]) : "h"(bits));
    }
  }
  __device__ static Word pack(const float* in) {
    unsigned low, high;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(low) : "f"(in[1]), "f"(in[0]));
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(high) : "f"(in[3]), "f"(in[2]));
    return Word(high) << 32 | low;
  }
};

// All but sums. Without a branch: the code of sums, which matters, stays short. NaN wins.
__device__ __forceinline__ float combine(float a, float b, unsigned redop) {
  const bool other = redop == kMin ? b < a : b > a;
  const float extreme = a == a && (other || b != b) ? b : a;
  return redop == kProd ? a * b : extreme;
}

// The elements of one packet on their way through the ranks.
template <typename T>
struct Sums {
  static constexpr unsigned kCount = 2 * T::kPerWord;
  float value[kCount];

  __device__ __forceinline__ static Sums of(Packet p) {
    Sums s;
    T::unpack(p.low, s.value);
    T::unpack(p.high, s.value + T::kPerWord);
    return s;
  }
  __device__ __forceinline__ Packet packet() const {
    return {T::pack(value), T::pack(value + T::kPerWord)};
  }
  __device__ __forceinline__ void add(Packet p) {
    const Sums next = of(p);
#pragma unroll
    for (unsigned i = 0; i < kCount; ++i) value[i] += next.value[i];
  }
  // Takes the operand of the next rank, in rank order.
  __device__ __forceinline__ void take(Packet p, bool first, const Args& args) {
    Sums next = of(p);
    if (args.scale != 1.0f) {
#pragma unroll
      for (unsigned i = 0; i < kCount; ++i) next.value[i] *= args.scale;
    }
    if (first) {
      *this = next;
    } else if (args.redop == kSum || args.redop == kAvg) {
#pragma unroll
      for (unsigned i = 0; i < kCount; ++i) value[i] += next.value[i];
    } else {
#pragma unroll
      for (unsigned i = 0; i < kCount; ++i) value[i] = combine(value[i], next.value[i], args.redop);
    }
  }
  __device__ __forceinline__ void finish(unsigned ranks, const Args& args) {
    if (args.redop != kAvg) return;
#pragma unroll
    for (unsigned i = 0; i < kCount; ++i) value[i] = value[i] / static_cast<float>(ranks);
  }
};

}  // namespace muster::cuda_peer
