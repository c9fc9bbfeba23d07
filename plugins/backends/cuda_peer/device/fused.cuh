// all_reduce, residual add and RMSNorm in one launch, by lines.
//
// Here: rows of any length and number, a block each. Lines are exchanged as in all_reduce; what comes
// of them stays in shared memory as f32 until the norm of the row is known. Rows that fit into registers: marked_fused.cuh.
#pragma once

#include "plugins/backends/cuda_peer/device/line_reductions.cuh"

namespace muster::cuda_peer {

// 1 / sqrt(x), to an ulp or two, without the exact forms' detours.
__device__ __forceinline__ float inverse_root(float x) {
  float y;
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y * (1.5f - 0.5f * x * y * y);
}

// Scratch of one row, doubled, so that a fast warp may begin the next row.
struct RowSums {
  float warps[2][16];
};

// The sum over all threads of the block, the same everywhere.
__device__ __forceinline__ float sum_over_row(float mine, RowSums& sums, unsigned turn) {
  mine = sum_over_warp(mine);
  if (threadIdx.x % 32 == 0) sums.warps[turn][threadIdx.x / 32] = mine;
  __syncthreads();
  float total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += sums.warps[turn][w];
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
        lines((row_bytes + kLineData - 1) / kLineData),
        rounds((lines + capacity - 1) / capacity),
        aligned(multiple_of(8, args.send, args.recv, row_bytes) &&
                multiple_of(8, args.residual, args.residual_out, 0) &&
                multiple_of(8, args.weight, nullptr, 0)) {}

  const Word row_bytes;
  const Word rows;
  const Word lines;  // of a row
  const Word rounds;
  const bool aligned;

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
  lines.read(send, round, shape.row_bytes, shape.aligned, own);
  lines.send_to_all(round, own);
#pragma unroll
  for (unsigned u = 0; u < U; ++u) rest[u] = {0, 0};
  if (args.residual != nullptr) {
    lines.read(args.residual + residual_at, round, shape.row_bytes, shape.aligned, rest);
  }
  reduce_lines<T, N, U>(lines, args, round, own, own);
  float squares = 0;
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    // As all_reduce leaves it.
    r[u] = Sums<T>::of(own[u]);
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

// In shared memory: rows of any length, quantised ones too.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void norm_in_memory(Lines<N>& lines, const Args& args,
                                               const RowShape<T, N>& shape, RowSums& row_sums,
                                               float* row) {
  constexpr unsigned kPerLane = RowShape<T, N>::kPerLane;
  constexpr Word kLineElements = kLineData / RowShape<T, N>::kSize;
  const unsigned capacity = lines.seat.groups * U;
  const float mean_of = 1.0f / static_cast<float>(args.hidden);
  const auto place = [&](Word line) {
    return row + line * kLineElements + lines.seat.lane * kPerLane;
  };
  unsigned turn = 0;
  bool later = false;
  for (Word number = blockIdx.x; number < shape.rows; number += gridDim.x) {
    float squares = 0;
    for (Word q = 0; q < shape.rounds; ++q) {
      if (later) lines.barrier();
      later = true;
      const Round<U> round(q * capacity, shape.lines, lines.seat);
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
    const float sum = sum_over_row(squares, row_sums, turn);
    turn ^= 1;
    const float norm = inverse_root(sum * mean_of + args.epsilon);
    if (args.quant_group != 0) {
      quantise_row<T>(args, row, number, norm);
      continue;
    }
    for (Word line = lines.seat.group; line < shape.lines; line += lines.seat.groups) {
      const Packet weight = lines.read(args.weight, line, shape.row_bytes, shape.aligned);
      // Lanes at the end of a row have fewer elements, and a place for all.
      write_normed<T, N, U>(lines, args, shape, line, number, norm, place(line), weight);
    }
  }
}

template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_rmsnorm_rows(const Args& args) {
  extern __shared__ float row[];
  __shared__ RowSums row_sums;
  Lines<N> lines(args);
  const RowShape<T, N> shape(args, lines.seat.groups * U);
  begin_in_order();
  lines.begin();
  norm_in_memory<T, N, U>(lines, args, shape, row_sums, row);
  lines.end();
}

}  // namespace muster::cuda_peer
