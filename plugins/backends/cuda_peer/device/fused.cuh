// all_reduce, residual add and RMSNorm in one launch, by lines.
//
// A row belongs to the blocks of one cluster, a part to each; where there are many rows, to one
// block. Lines of a part are exchanged as in all_reduce; what comes of them stays in registers or
// shared memory as f32 until the norm of the row is known.
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

// What every row of a launch has in common.
template <typename T, unsigned N>
struct RowShape {
  static constexpr Word kSize = 8 / T::kPerWord;
  static constexpr unsigned kPerLane = 2 * T::kPerWord;

  __device__ RowShape(const Args& args, unsigned capacity)
      : row_bytes(args.hidden * kSize),
        rows(args.bytes / row_bytes),
        blocks(cluster_size()),
        block(cluster_rank()),
        lines((row_bytes + kLineData - 1) / kLineData),
        part_lines((lines + blocks - 1) / blocks),
        part_at(block * part_lines),
        part_end(min(part_at + part_lines, lines)),
        rounds((part_lines + capacity - 1) / capacity),
        aligned(multiple_of(8, args.send, args.recv, row_bytes) &&
                multiple_of(8, args.residual, args.residual_out, 0) &&
                multiple_of(8, args.weight, nullptr, 0)) {}

  const Word row_bytes;
  const Word rows;
  const unsigned blocks;  // of the cluster that has a row
  const unsigned block;
  const Word lines;  // of a row; this block's part, in lines
  const Word part_lines;
  const Word part_at;
  const Word part_end;
  const Word rounds;
  const bool aligned;

  // A part without lines exchanges one without content: every round takes one from every peer.
  template <unsigned U>
  __device__ __forceinline__ Round<U> round(Word first, const Seat& seat) const {
    Round<U> r(first, part_end, seat);
    if (first >= part_end) r.valid[0] = r.index[0] == 0;
    return r;
  }
  // How many of this lane's elements of a line exist.
  __device__ __forceinline__ int elements(const Seat& seat, Word line) const {
    return static_cast<int>(seat.left(line, row_bytes) / static_cast<long long>(kSize));
  }
};

// Exchanges the lines of one round and adds the residual: what is to be normed, and its squares.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ float add_round(Lines<N>& lines, const Args& args,
                                           const RowShape<T, N>& shape, const Round<U>& round,
                                           Word number, Sums<T> (&r)[U]) {
  const Byte* const send = args.send + number * shape.row_bytes;
  const Word residual_at = number * shape.row_bytes;
  lines.next_round();
  Packet own[U];
  Packet rest[U];
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    own[u] = rest[u] = {0, 0};
    if (round.valid[u]) own[u] = lines.read(send, round.line[u], shape.row_bytes, shape.aligned);
  }
#pragma unroll
  for (unsigned i = 1; i < N; ++i) {
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (round.valid[u]) lines.send(i, round.index[u], own[u]);
    }
  }
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    if (args.residual != nullptr && round.valid[u]) {
      rest[u] = lines.read(args.residual + residual_at, round.line[u], shape.row_bytes,
                           shape.aligned);
    }
  }
  reduce_lines<T, N, U>(lines, args, round, own, r);
  float squares = 0;
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    // As all_reduce leaves it.
    r[u] = Sums<T>::of(r[u].packet());
    const Sums<T> add = Sums<T>::of(rest[u]);
    const int left = round.valid[u] ? shape.elements(lines.seat, round.line[u]) : 0;
#pragma unroll
    for (int i = 0; i < static_cast<int>(RowShape<T, N>::kPerLane); ++i) {
      if (args.residual != nullptr) r[u].value[i] += add.value[i];
      if (i < left) squares += r[u].value[i] * r[u].value[i];
    }
    if (args.residual_out != nullptr && round.valid[u]) {
      lines.write(args.residual_out + residual_at, round.line[u], shape.row_bytes, shape.aligned,
                  r[u].packet());
    }
  }
  return squares;
}

template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void write_normed(const Lines<N>& lines, const Args& args,
                                             const RowShape<T, N>& shape, Word line, Word number,
                                             float norm, const float* r, Packet weight) {
  Sums<T> v = Sums<T>::of(weight);
#pragma unroll
  for (unsigned i = 0; i < RowShape<T, N>::kPerLane; ++i) v.value[i] = r[i] * norm * v.value[i];
  lines.write(args.recv + number * shape.row_bytes, line, shape.row_bytes, shape.aligned,
              v.packet());
}

// Rows whose parts fit into one round stay in registers.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void norm_in_registers(Lines<N>& lines, const Args& args,
                                                  const RowShape<T, N>& shape, RowSums& row_sums) {
  const float mean_of = 1.0f / static_cast<float>(args.hidden);
  const Round<U> round = shape.template round<U>(shape.part_at, lines.seat);
  Packet weight[U];
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    weight[u] = {0, 0};
    if (round.valid[u]) {
      weight[u] = lines.read(args.weight, round.line[u], shape.row_bytes, shape.aligned);
    }
  }
  unsigned turn = 0;
  bool later = false;
  for (Word number = blockIdx.x / shape.blocks; number < shape.rows;
       number += gridDim.x / shape.blocks) {
    if (later) lines.barrier();
    later = true;
    Sums<T> r[U];
    const float squares = add_round<T, N, U>(lines, args, shape, round, number, r);
    const float sum = sum_over_row(squares, row_sums, turn, shape.blocks, shape.block);
    turn ^= 1;
    const float norm = 1.0f / sqrtf(sum * mean_of + args.epsilon);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      if (round.valid[u]) {
        write_normed<T, N, U>(lines, args, shape, round.line[u], number, norm, r[u].value,
                              weight[u]);
      }
    }
  }
}

// Others, and those that are quantised, in shared memory.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void norm_in_memory(Lines<N>& lines, const Args& args,
                                               const RowShape<T, N>& shape, RowSums& row_sums,
                                               float* row) {
  constexpr unsigned kPerLane = RowShape<T, N>::kPerLane;
  constexpr Word kLineElements = kLineData / RowShape<T, N>::kSize;
  const unsigned capacity = lines.seat.groups * U;
  const float mean_of = 1.0f / static_cast<float>(args.hidden);
  const auto place = [&](Word line) {
    return row + (line - shape.part_at) * kLineElements + lines.seat.lane * kPerLane;
  };
  unsigned turn = 0;
  bool later = false;
  for (Word number = blockIdx.x / shape.blocks; number < shape.rows;
       number += gridDim.x / shape.blocks) {
    float squares = 0;
    for (Word q = 0; q < shape.rounds; ++q) {
      if (later) lines.barrier();
      later = true;
      const Round<U> round = shape.template round<U>(shape.part_at + q * capacity, lines.seat);
      Sums<T> r[U];
      squares += add_round<T, N, U>(lines, args, shape, round, number, r);
#pragma unroll
      for (unsigned u = 0; u < U; ++u) {
        const int left = round.valid[u] ? shape.elements(lines.seat, round.line[u]) : 0;
#pragma unroll
        for (int i = 0; i < static_cast<int>(kPerLane); ++i) {
          if (i < left) place(round.line[u])[i] = r[u].value[i];
        }
      }
    }
    const float sum = sum_over_row(squares, row_sums, turn, shape.blocks, shape.block);
    turn ^= 1;
    const float norm = 1.0f / sqrtf(sum * mean_of + args.epsilon);
    if (args.quant_group != 0) {
      quantise_row<T>(args, row, number, norm);
      continue;
    }
    for (Word line = shape.part_at + lines.seat.group; line < shape.part_end;
         line += lines.seat.groups) {
      const Packet weight = lines.read(args.weight, line, shape.row_bytes, shape.aligned);
      // Lanes at the end of a row have fewer elements, and a place for all.
      write_normed<T, N, U>(lines, args, shape, line, number, norm, place(line), weight);
    }
  }
}

// kRegisters: for launches whose rows take one round and are not quantised.
template <typename T, unsigned N, unsigned U, bool kRegisters>
__device__ __forceinline__ void all_reduce_rmsnorm(const Args& args) {
  extern __shared__ float row[];  // this block's part of it, if it is not in registers
  __shared__ RowSums row_sums;
  Lines<N> lines(args);
  const RowShape<T, N> shape(args, lines.seat.groups * U);
  // All blocks of a cluster are there before one stores into another.
  if (shape.blocks > 1) cluster_barrier();
  begin_in_order();
  lines.begin();
  if (kRegisters) {
    norm_in_registers<T, N, U>(lines, args, shape, row_sums);
  } else {
    norm_in_memory<T, N, U>(lines, args, shape, row_sums, row);
  }
  lines.end();
  // Nobody leaves while others may store into its shared memory.
  if (shape.blocks > 1) cluster_barrier();
}

}  // namespace muster::cuda_peer
