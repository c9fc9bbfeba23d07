// The program of operations that only move, for one group size: MUSTER_PEER_RANKS.
#include "plugins/backends/cuda_peer/device/once_moves.cuh"
#include "plugins/backends/cuda_peer/device/pulls.cuh"
#include "plugins/backends/cuda_peer/device/staged_moves.cuh"

using namespace muster::cuda_peer;

// Kernels of lines for many ranks need more registers than two blocks of a multiprocessor have.
constexpr unsigned kTogether = MUSTER_PEER_RANKS <= 4 ? 2 : 1;

// Blocks of at most 512 threads, of which that many are on a multiprocessor together.
#define MUSTER_KERNEL(name, together, body)                                \
  extern "C" __global__ void __launch_bounds__(512, together)              \
      name(const __grid_constant__ Args args) {                            \
    body;                                                                  \
  }

MUSTER_KERNEL(all_gather_push, kTogether, (move_by_lines<MUSTER_PEER_RANKS, Move::kAllGather>(args)))
MUSTER_KERNEL(all_to_all_push, kTogether, (move_by_lines<MUSTER_PEER_RANKS, Move::kAllToAll>(args)))
MUSTER_KERNEL(broadcast_push, kTogether, (move_by_lines<MUSTER_PEER_RANKS, Move::kBroadcast>(args)))
MUSTER_KERNEL(all_gather_staged, 1, (move_in_stages<MUSTER_PEER_RANKS, Move::kAllGather>(args)))
MUSTER_KERNEL(all_to_all_staged, 1, (move_in_stages<MUSTER_PEER_RANKS, Move::kAllToAll>(args)))
MUSTER_KERNEL(broadcast_staged, 1, (move_in_stages<MUSTER_PEER_RANKS, Move::kBroadcast>(args)))
constexpr unsigned kPulled = MUSTER_PEER_RANKS <= 2 ? 4 : MUSTER_PEER_RANKS <= 4 ? 2 : 1;
MUSTER_KERNEL(all_gather_pull, 1, (move_pulled<MUSTER_PEER_RANKS, kPulled, Move::kAllGather>(args)))
MUSTER_KERNEL(all_to_all_pull, 1, (move_pulled<MUSTER_PEER_RANKS, kPulled, Move::kAllToAll>(args)))
MUSTER_KERNEL(broadcast_pull, 1, (move_pulled<MUSTER_PEER_RANKS, kPulled, Move::kBroadcast>(args)))
