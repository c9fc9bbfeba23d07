// all_reduce, residual add and RMSNorm by marked lines. A row belongs to the blocks of one cluster, a
// part to each, and all of it is in registers from the exchange to the result. Rows that come later
// are sent before: the link is busy while one is normed.
#pragma once

#include "plugins/backends/cuda_peer/device/clusters.cuh"
#include "plugins/backends/cuda_peer/device/fused.cuh"
#include "plugins/backends/cuda_peer/device/marks.cuh"

namespace muster::cuda_peer {

// Sums of warps of all blocks of a cluster, doubled, so that a fast block may begin the next row.
struct RowParts {
  float warps[2][kMaxCluster * 16];
};

// The sum over all threads of the cluster, the same everywhere: every warp gives its sum to every
// block, and there is one barrier.
__device__ __forceinline__ float sum_over_parts(float mine, RowParts& parts, unsigned turn,
                                                InCluster in) {
  float* const sums = parts.warps[turn];
  const unsigned lane = threadIdx.x % 32;
  const unsigned warps = blockDim.x / 32;
  mine = sum_over_warp(mine);
  float* const place = &sums[in.block * warps + threadIdx.x / 32];
  if (in.blocks == 1) {
    if (lane == 0) *place = mine;
    __syncthreads();
  } else {
    if (lane < in.blocks) store_to_block(place, lane, mine);
    cluster_barrier();
  }
  float total = 0;
  for (unsigned i = lane; i < in.blocks * warps; i += 32) total += sums[i];
  return sum_over_warp(total);
}

// Rows of U packets per thread of a cluster.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_rmsnorm_marked(const Args& args) {
  constexpr int kSize = 8 / T::kPerWord;
  constexpr int kPerPacket = 2 * T::kPerWord;
  __shared__ RowParts parts;
  const InCluster in;
  const Word row_bytes = Word(args.hidden) * kSize;
  const Word rows = args.bytes / row_bytes;
  const Word place = (row_bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
  const Word step = gridDim.x / in.blocks;
  const Word first = blockIdx.x / in.blocks;
  const unsigned ahead = args.lag;
  const MarkedPackets<U> packets(Word(in.block) * blockDim.x * 16 * U + threadIdx.x * 16,
                                 blockDim.x * 16, row_bytes);
  Marks<N> marks(args, packets.offset);
  const bool aligned = multiple_of(16, args.send, args.recv, row_bytes) &&
                       multiple_of(16, args.residual, args.residual_out, 0) &&
                       multiple_of(16, args.weight, nullptr, 0);
  const float mean_of = 1.0f / static_cast<float>(args.hidden);
  // All blocks of a cluster are there before one stores into another.
  if (in.blocks > 1) cluster_barrier();
  begin_in_order();
  marks.begin();
  const auto read_own = [&](Word number, Packet (&own)[U]) {
    marks.read(packets, args.send + number * row_bytes + packets.offset, aligned, own);
  };
  Packet own[U];
  read_own(first, own);
  marks.choose_slot();
  marks.send(packets, first * place, own);
  for (unsigned a = 1; a < ahead && first + a * step < rows; ++a) {
    read_own(first + a * step, own);
    marks.send(packets, (first + a * step) * place, own);
  }
  Packet scale[U];
  packets.read(args.weight + packets.offset, aligned, scale);
  unsigned turn = 0;
  for (Word number = first; number < rows; number += step) {
    const Word next = number + ahead * step;
    if (next < rows) {
      read_own(next, own);
      marks.send(packets, next * place, own);
    }
    const Word offset = number * row_bytes + packets.offset;
    Packet got[N][U];
    Packet rest[U];
    marks.look(packets, number * place, got);
    read_own(number, own);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) rest[u] = {0, 0};
    if (args.residual != nullptr) packets.read(args.residual + offset, aligned, rest);
    marks.complete(packets, number * place, own, got);
    combine_once<T, N, U>(args, got, own);
    marks.put_back(packets, number * place);
    Sums<T> r[U];
    float squares = 0;
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      // As all_reduce leaves it.
      r[u] = Sums<T>::of(own[u]);
      const Sums<T> add = Sums<T>::of(rest[u]);
      const int count = packets.left[u] / kSize;
#pragma unroll
      for (int i = 0; i < kPerPacket; ++i) {
        if (args.residual != nullptr) r[u].value[i] += add.value[i];
        if (i < count) squares += r[u].value[i] * r[u].value[i];
      }
      own[u] = r[u].packet();
    }
    if (args.residual_out != nullptr) packets.write(args.residual_out + offset, aligned, own);
    const float sum = sum_over_parts(squares, parts, turn, in);
    turn ^= 1;
    const float norm = inverse_root(sum * mean_of + args.epsilon);
#pragma unroll
    for (unsigned u = 0; u < U; ++u) {
      Sums<T> v = Sums<T>::of(scale[u]);
#pragma unroll
      for (int i = 0; i < kPerPacket; ++i) v.value[i] = r[u].value[i] * norm * v.value[i];
      own[u] = v.packet();
    }
    packets.write(args.recv + offset, aligned, own);
  }
  marks.end();
}

// Rows of at most kMost packets per thread.
template <typename T, unsigned N, unsigned kMost>
__device__ __forceinline__ void all_reduce_rmsnorm_in_registers(const Args& args) {
  if (kMost == 1 || args.once == 1) {
    all_reduce_rmsnorm_marked<T, N, 1>(args);
  } else {
    all_reduce_rmsnorm_marked<T, N, kMost>(args);
  }
}

}  // namespace muster::cuda_peer
