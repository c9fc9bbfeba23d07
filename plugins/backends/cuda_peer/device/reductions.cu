// The program of one element type and group size: MUSTER_PEER_TYPE, MUSTER_PEER_RANKS.
#include "plugins/backends/cuda_peer/device/line_reductions.cuh"
#include "plugins/backends/cuda_peer/device/marked_fused.cuh"
#include "plugins/backends/cuda_peer/device/marked_reductions.cuh"
#include "plugins/backends/cuda_peer/device/once.cuh"
#include "plugins/backends/cuda_peer/device/pulled_reductions.cuh"
#include "plugins/backends/cuda_peer/device/staged_reductions.cuh"

using namespace muster::cuda_peer;

// Kernels of lines for many ranks need more registers than two blocks of a multiprocessor have.
constexpr unsigned kTogether = MUSTER_PEER_RANKS <= 4 ? 2 : 1;

// Blocks of at most 512 threads, of which that many are on a multiprocessor together.
#define MUSTER_KERNEL(name, together, body)                                \
  extern "C" __global__ void __launch_bounds__(512, together)              \
      name(const __grid_constant__ Args args) {                            \
    body;                                                                  \
  }

// How many packets a thread reads of each rank at once.
constexpr unsigned kPulled = MUSTER_PEER_RANKS <= 2 ? 4 : MUSTER_PEER_RANKS <= 4 ? 2 : 1;
// How many packets of a row a thread has at most.
constexpr unsigned kRow = MUSTER_PEER_RANKS <= 4 ? 2 : 1;

MUSTER_KERNEL(all_reduce_one_shot_push, kTogether,
              (all_reduce_once<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, 1>(args)))
MUSTER_KERNEL(all_reduce_marked_push, kTogether,
              (all_reduce_marked<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, 1>(args)))
MUSTER_KERNEL(all_reduce_marked_push_stream, kTogether,
              (all_reduce_marked_stream<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, 1>(args)))
MUSTER_KERNEL(all_reduce_two_shot_push, kTogether,
              (all_reduce_two_shot<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, 1>(args)))
MUSTER_KERNEL(reduce_scatter_push, kTogether,
              (reduce_scatter_by_lines<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS>(args)))
MUSTER_KERNEL(all_reduce_staged, 1,
              (all_reduce_in_stages<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS>(args)))
MUSTER_KERNEL(reduce_scatter_staged, 1,
              (reduce_scatter_in_stages<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS>(args)))
MUSTER_KERNEL(all_reduce_pull, 1,
              (all_reduce_pulled<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, kPulled>(args)))
MUSTER_KERNEL(reduce_scatter_pull, 1,
              (reduce_scatter_pulled<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, kPulled>(args)))
// Rows in registers, and in shared memory, where one block exchanges while another one norms.
MUSTER_KERNEL(all_reduce_rmsnorm_push, 1,
              (all_reduce_rmsnorm_in_registers<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, kRow>(args)))
MUSTER_KERNEL(all_reduce_rmsnorm_push_rows, kTogether,
              (all_reduce_rmsnorm_rows<MUSTER_PEER_TYPE, MUSTER_PEER_RANKS, 1>(args)))
