// Clusters: blocks that have each other's shared memory. On devices without, a block is alone.
#pragma once

#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {

constexpr unsigned kMaxCluster = 8;

// Where this block is; a block alone where there are no clusters.
struct InCluster {
  unsigned blocks = 1;
  unsigned block = 0;

  __device__ __forceinline__ InCluster() {
#if __CUDA_ARCH__ >= 900
    asm volatile("mov.u32 %0, %cluster_nctarank;" : "=r"(blocks));
    asm volatile("mov.u32 %0, %cluster_ctarank;" : "=r"(block));
#endif
  }
};
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
