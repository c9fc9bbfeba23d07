// all_reduce, residual add and RMSNorm of few rows: each belongs to the blocks of one cluster, a part
// to each, and all of it is in registers from the exchange to the result.
#pragma once

#include "plugins/backends/cuda_peer/device/clusters.cuh"
#include "plugins/backends/cuda_peer/device/fused.cuh"
#include "plugins/backends/cuda_peer/device/once.cuh"

namespace muster::cuda_peer {

constexpr unsigned kRowWarps = 12;  // of a block, at most

// The sum over all threads of the cluster, the same everywhere: every warp gives its sum to every
// block, and there is one barrier.
__device__ __forceinline__ float sum_over_cluster(float mine, float (&sums)[kMaxCluster * kRowWarps],
                                                  InCluster in) {
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

// One row of every cluster.
template <typename T, unsigned N, unsigned U>
__device__ __forceinline__ void all_reduce_rmsnorm_once(const Args& args) {
  constexpr unsigned kSize = 8 / T::kPerWord;
  constexpr int kPerLane = 2 * T::kPerWord;
  __shared__ float sums[kMaxCluster * kRowWarps];
  Once<N, U> once(args);
  const InCluster in;
  const Word row_bytes = Word(args.hidden) * kSize;
  const Word number = blockIdx.x / in.blocks;
  const auto lines = static_cast<unsigned>((row_bytes + kLineData - 1) / kLineData);
  const unsigned part = (lines + in.blocks - 1) / in.blocks;
  const Word end = min(Word(in.block * part + part) * kLineData, row_bytes);
  OncePackets<U> packets(in.block * part, end, once.seat);
  // A part without lines exchanges one without content.
  if (in.block * part >= lines) packets.valid[0] = once.seat.group == 0;
  const bool aligned = multiple_of(8, args.send, args.recv, row_bytes) &&
                       multiple_of(8, args.residual, args.residual_out, 0) &&
                       multiple_of(8, args.weight, nullptr, 0);
  const Word offset = number * row_bytes + packets.offset;
  const Byte* from = args.send + offset;
  const Byte* residual = args.residual + offset;
  const Byte* weight = args.weight + packets.offset;
  Byte* residual_out = args.residual_out + offset;
  Byte* to = args.recv + offset;
  asm volatile("" : "+l"(from), "+l"(residual), "+l"(weight), "+l"(residual_out), "+l"(to));
  // All blocks of a cluster are there before one stores into another.
  if (in.blocks > 1) cluster_barrier();
  begin_in_order();
  once.begin();
  Packet own[U];
  packets.read(from, aligned, own);
  once.send(packets.valid, own);
  Packet rest[U];
  Packet scale[U];
#pragma unroll
  for (unsigned u = 0; u < U; ++u) rest[u] = {0, 0};
  if (args.residual != nullptr) packets.read(residual, aligned, rest);
  packets.read(weight, aligned, scale);
  Packet got[N][U];
  once.take(packets.valid, own, got);
  combine_once<T, N, U>(args, got, own);
  Sums<T> r[U];
  float squares = 0;
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    r[u] = Sums<T>::of(own[u]);
    const Sums<T> add = Sums<T>::of(rest[u]);
    const int count = packets.left[u] / static_cast<int>(kSize);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      if (args.residual != nullptr) r[u].value[i] += add.value[i];
      if (i < count) squares += r[u].value[i] * r[u].value[i];
    }
    own[u] = r[u].packet();
  }
  if (args.residual_out != nullptr) packets.write(residual_out, aligned, own);
  const float sum = sum_over_cluster(squares, sums, in);
  const float norm = inverse_root(sum * (1.0f / static_cast<float>(args.hidden)) + args.epsilon);
#pragma unroll
  for (unsigned u = 0; u < U; ++u) {
    Sums<T> v = Sums<T>::of(scale[u]);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) v.value[i] = r[u].value[i] * norm * v.value[i];
    own[u] = v.packet();
  }
  packets.write(to, aligned, own);
  // The barrier of the sums was the last time that a block has stored into another.
  once.end();
}

}  // namespace muster::cuda_peer
