// all_reduce, residual add and RMSNorm in one launch, by lines.
//
// A row belongs to the blocks of one cluster, a part to each; where there are many rows, to one
// block. Lines of a part are exchanged as in all_reduce; what comes of them stays in shared memory as
// f32 until the norm of the row is known.
#pragma once

#include "plugins/backends/cuda_peer/device/line_reductions.cuh"

namespace muster::cuda_peer {

// Blocks of a cluster and this block's number; 1 and 0 where there are no clusters.
__device__ __forceinline__ unsigned cluster_size() {
#if __CUDA_ARCH__ >= 900
  unsigned n;
  asm volatile("mov.u32 %0, %cluster_nctarank;" : "=r"(n));
  return n;
#else
  return 1;
#endif
}
__device__ __forceinline__ unsigned cluster_rank() {
#if __CUDA_ARCH__ >= 900
  unsigned r;
  asm volatile("mov.u32 %0, %cluster_ctarank;" : "=r"(r));
  return r;
#else
  return 0;
#endif
}
__device__ __forceinline__ void cluster_barrier() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}
// Stores to the same place of another block's shared memory.
__device__ __forceinline__ void store_to_block(float* at, unsigned block, float value) {
#if __CUDA_ARCH__ >= 900
  const unsigned here = static_cast<unsigned>(__cvta_generic_to_shared(at));
  asm volatile(
      "{ .reg .u32 there; mapa.shared::cluster.u32 there, %0, %1; st.shared::cluster.f32 [there], %2; }" ::"r"(
          here),
      "r"(block), "f"(value)
      : "memory");
#else
  *at = value;
#endif
}

constexpr unsigned kMaxCluster = 8;

// Scratch of one row, doubled, so that a fast block of a cluster may begin the next row.
struct RowSums {
  float warps[2][16];
  float blocks[2][kMaxCluster];
};

// The sum over all threads of the cluster, the same everywhere.
__device__ __forceinline__ float sum_over_row(float mine, RowSums& sums, unsigned turn,
                                              unsigned blocks, unsigned block) {
#pragma unroll
  for (int o = 16; o > 0; o /= 2) mine += __shfl_xor_sync(0xffffffffu, mine, o);
  if (threadIdx.x % 32 == 0) sums.warps[turn][threadIdx.x / 32] = mine;
  __syncthreads();
  float total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += sums.warps[turn][w];
  if (blocks == 1) return total;
  if (threadIdx.x < blocks) store_to_block(&sums.blocks[turn][block], threadIdx.x, total);
  cluster_barrier();
  total = 0;
  for (unsigned b = 0; b < blocks; ++b) total += sums.blocks[turn][b];
  return total;
}

__device__ __forceinline__ Byte to_f8e4m3(float v) {
#if __CUDA_ARCH__ >= 890
  unsigned short pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(v));
  return static_cast<Byte>(pair);
#else
  return 0;
#endif
}

// The row in shared memory, normed, as f8e4m3 with a scale per quant_group elements; a warp a group.
template <typename T>
__device__ __forceinline__ void quantise_row(const Args& args, const float* row, Word number,
                                             float norm) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned groups = args.hidden / args.quant_group;
  const auto weight_of = [&](unsigned i) {
    float w[T::kPerWord];
    constexpr unsigned kSize = 8 / T::kPerWord;
    Word bits = 0;
    for (unsigned b = 0; b < kSize; ++b) bits |= Word(args.weight[i * kSize + b]) << (8 * b);
    T::unpack(bits, w);
    return w[0];
  };
  for (unsigned g = threadIdx.x / 32; g < groups; g += blockDim.x / 32) {
    const unsigned first = g * args.quant_group;
    float most = 0;
    for (unsigned i = lane; i < args.quant_group; i += 32) {
      const float v = fabsf(row[first + i] * norm * weight_of(first + i));
      if (v < __int_as_float(0x7f800000)) most = fmaxf(most, v);
    }
#pragma unroll
    for (int o = 16; o > 0; o /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, o));
    float scale = most / 448.0f;
    if (!(scale >= 1.17549435e-38f)) scale = 1.0f;
    for (unsigned i = lane; i < args.quant_group; i += 32) {
      const float v = row[first + i] * norm * weight_of(first + i);
      const bool finite = fabsf(v) < __int_as_float(0x7f800000);
      args.recv[number * args.hidden + first + i] = finite ? to_f8e4m3(v / scale) : Byte(0x7f);
    }
    if (lane == 0) args.scales[number * groups + g] = scale;
  }
}

template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_rmsnorm(const Args& args) {
  extern __shared__ float row[];  // this block's part of it
  __shared__ RowSums row_sums;
  Lines<N> lines(args);
  constexpr unsigned kPerLane = 2 * T::kPerWord;
  constexpr Word kSize = 8 / T::kPerWord;
  const Word row_bytes = args.hidden * kSize;
  const bool aligned = multiple_of(8, args.send, args.recv, row_bytes) &&
                       multiple_of(8, args.residual, args.residual_out, 0) &&
                       multiple_of(8, args.weight, nullptr, 0);
  const Word rows = args.bytes / row_bytes;
  const unsigned blocks = cluster_size();
  const unsigned block = cluster_rank();
  const Word all_lines = (row_bytes + kLineData - 1) / kLineData;
  const Word part_lines = (all_lines + blocks - 1) / blocks;
  const Word part_at = block * part_lines;
  const Word part_end = min(part_at + part_lines, all_lines);
  // A part without lines exchanges one without content: every round takes one from every peer.
  const unsigned capacity = lines.seat.groups * U;
  const Word rounds = (part_lines + capacity - 1) / capacity;
  const float mean_of = 1.0f / static_cast<float>(args.hidden);
  // All blocks of a cluster are there before one stores into another.
  if (blocks > 1) cluster_barrier();
  begin_in_order();
  lines.begin();
  unsigned turn = 0;
  bool later = false;
  for (Word number = blockIdx.x / blocks; number < rows; number += gridDim.x / blocks) {
    const Byte* const send = args.send + number * row_bytes;
    const Byte* const residual = args.residual == nullptr ? nullptr : args.residual + number * row_bytes;
    float squares = 0;
    for (Word q = 0; q < rounds; ++q) {
      if (later) lines.barrier();
      later = true;
      Round<U> round(part_at + q * capacity, part_end, lines.seat);
      if (part_at + q * capacity >= part_end) round.valid[0] = round.index[0] == 0;
      lines.next_round();
      Packet own[U];
      Packet rest[U];
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        own[u] = rest[u] = {0, 0};
        if (round.valid[u]) own[u] = lines.read(send, round.line[u], row_bytes, aligned);
      }
#pragma unroll
      for (unsigned i = 1; i < N; ++i) {
#pragma unroll
        for (unsigned u = 0; u < U; ++u) {
          if (round.valid[u]) lines.send((args.rank + i) % N, round.index[u], own[u]);
        }
      }
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        if (residual != nullptr && round.valid[u]) {
          rest[u] = lines.read(residual, round.line[u], row_bytes, aligned);
        }
      }
      Sums<T> sums[U];
      reduce_lines<T, N, U>(lines, args, round, own, sums);
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        if (!round.valid[u]) continue;
        // As all_reduce leaves it.
        Sums<T> r = Sums<T>::of(sums[u].packet());
        const Sums<T> add = Sums<T>::of(rest[u]);
        const Word at = (round.line[u] - part_at) * (kLineData / kSize) + lines.seat.lane * kPerLane;
        const long long left = lines.seat.left(round.line[u], row_bytes) / static_cast<long long>(kSize);
#pragma unroll
        for (unsigned i = 0; i < kPerLane; ++i) {
          if (static_cast<long long>(i) >= left) continue;
          if (residual != nullptr) r.value[i] += add.value[i];
          row[at + i] = r.value[i];
          squares += r.value[i] * r.value[i];
        }
        if (args.residual_out != nullptr) {
          lines.write(args.residual_out + number * row_bytes, round.line[u], row_bytes, aligned,
                      r.packet());
        }
      }
    }
    const float sum = sum_over_row(squares, row_sums, turn, blocks, block);
    turn ^= 1;
    const float norm = 1.0f / sqrtf(sum * mean_of + args.epsilon);
    if (args.quant_group != 0) {
      quantise_row<T>(args, row, number, norm);
      continue;
    }
    for (Word q = 0; q < rounds; ++q) {
      const Round<U> round(part_at + q * capacity, part_end, lines.seat);
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        if (!round.valid[u]) continue;
        Sums<T> v = Sums<T>::of(lines.read(args.weight, round.line[u], row_bytes, aligned));
        const Word at = (round.line[u] - part_at) * (kLineData / kSize) + lines.seat.lane * kPerLane;
        const long long left = lines.seat.left(round.line[u], row_bytes) / static_cast<long long>(kSize);
#pragma unroll
        for (unsigned i = 0; i < kPerLane; ++i) {
          v.value[i] = static_cast<long long>(i) < left ? row[at + i] * norm * v.value[i] : 0.0f;
        }
        lines.write(args.recv + number * row_bytes, round.line[u], row_bytes, aligned, v.packet());
      }
    }
  }
  lines.end();
  // Nobody leaves while others may store into its shared memory.
  if (blocks > 1) cluster_barrier();
}

}  // namespace muster::cuda_peer
