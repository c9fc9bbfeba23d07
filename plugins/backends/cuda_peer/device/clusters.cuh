// Clusters: blocks that have each other's shared memory. On devices without, a block is alone.
#pragma once

#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {

constexpr unsigned kMaxCluster = 8;

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

}  // namespace muster::cuda_peer
