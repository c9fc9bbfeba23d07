#include "plugins/backends/cuda_peer/plan.hpp"

#include <algorithm>
#include <string>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {
namespace {

constexpr uint64_t kLanes = 8;  // of a line
constexpr uint32_t kFewThreads = 128;
constexpr uint32_t kSomeThreads = 256;
constexpr uint64_t kSomeGroups = 512;  // of lanes: from here on fewer and larger blocks are ahead
constexpr uint32_t kManyThreads = 512;
constexpr uint64_t kPacket = 16;
constexpr uint64_t kMarkedFrom = 96 << 10;  // smaller messages are as fast by lines, or faster
constexpr uint64_t kLeastPart = 2048;       // bytes of a row that a block of a cluster has
constexpr uint32_t kRowsAhead = 1;
constexpr uint64_t kTurnBytes = (kManyThreads - 32) * 16;
constexpr uint64_t kSmallStep = 4096;
constexpr uint64_t kLongPull = 64 << 20;  // of a piece: from here on half of the blocks are ahead
constexpr uint64_t kStepsWanted = 2;      // of a block, so that sending and reducing overlap

constexpr uint64_t divide_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
constexpr uint64_t round_up(uint64_t a, uint64_t unit) { return divide_up(a, unit) * unit; }

// Small blocks on many multiprocessors, then larger blocks, then several beside each other.
void shape_lines(Plan& plan, uint64_t lines_per_thread, const Room& room) {
  const uint64_t groups = divide_up(divide_up(plan.piece, kLineData), lines_per_thread);
  const uint32_t measured = groups < kSomeGroups ? kFewThreads : kSomeThreads;
  const uint64_t few = room.line_threads == 0 ? measured : room.line_threads;
  const uint64_t needed = round_up(divide_up(groups, room.spread) * kLanes, 32);
  const uint64_t alone = round_up(groups * kLanes, 32);
  plan.threads = static_cast<uint32_t>(
      std::min<uint64_t>({std::max(few, needed), alone, uint64_t{kManyThreads}}));
  plan.blocks = static_cast<uint32_t>(
      std::min<uint64_t>(divide_up(groups, plan.threads / kLanes), room.line_blocks));
  const bool enough = uint64_t{plan.blocks} * (plan.threads / kLanes) >= groups;
  plan.once = enough ? static_cast<uint32_t>(lines_per_thread) : 0;
}

// How many packets of a row a thread has at most: as reductions.cu has them.
constexpr uint32_t row_packets(uint32_t ranks) { return ranks <= 4 ? 2 : 1; }

// A packet for each thread, in the smallest blocks that run together. False: there are more.
bool shape_marks(Plan& plan, uint32_t threads, const Room& room) {
  const uint64_t packets = divide_up(plan.piece, kLineBytes) * kLanes;
  const uint64_t blocks = divide_up(packets, threads);
  if (blocks > room.line_blocks) return false;
  plan.threads = threads;
  plan.blocks = static_cast<uint32_t>(blocks);
  plan.once = 1;
  return true;
}

// In a ring, which has room for a few rounds of all blocks.
void shape_stream(Plan& plan, uint32_t ranks, const Room& room) {
  const uint64_t most = Heap{ranks}.mark_bytes() / kLeastRing / kPacket;  // threads
  plan.threads = kManyThreads;
  while (plan.threads > kFewThreads && uint64_t{plan.threads} * room.line_blocks > most) {
    plan.threads /= 2;
  }
  plan.blocks = static_cast<uint32_t>(std::min<uint64_t>(
      {divide_up(plan.piece, plan.threads * kPacket), room.line_blocks, most / plan.threads}));
}

// Lines, one for each thread, then marked lines: one packet for each thread, then a ring.
void shape_one_shot(Plan& plan, uint32_t ranks, const Room& room) {
  if (plan.piece < kMarkedFrom) {
    plan.kernel = Kernel::kOneShotPush;
    shape_lines(plan, 1, room);
    if (plan.once != 0) return;
  }
  plan.kernel = Kernel::kMarkedPush;
  for (const uint32_t threads : {kFewThreads, kSomeThreads, kManyThreads}) {
    if (plan.piece <= Heap{ranks}.mark_bytes() && shape_marks(plan, threads, room)) return;
  }
  plan.kernel = Kernel::kMarkedPushStream;
  plan.once = 0;
  shape_stream(plan, ranks, room);
}

void shape_stages(Plan& plan, uint32_t ranks, const Room& room) {
  const uint64_t largest = cuda_peer::Heap{ranks}.stage_bytes();
  const uint64_t wanted = round_up(divide_up(plan.piece, room.stage_blocks * kStepsWanted), 128);
  plan.step_bytes = room.step_bytes == 0 ? std::clamp(wanted, kSmallStep, largest)
                                         : std::clamp<uint64_t>(room.step_bytes, 128, largest);
  // Whole turns of all threads that move data.
  if (plan.step_bytes > kTurnBytes) plan.step_bytes -= plan.step_bytes % kTurnBytes;
  plan.lag = room.lag == 0 ? kLag : std::min(room.lag, kLag);
  plan.threads = kManyThreads;
  plan.blocks = static_cast<uint32_t>(
      std::min<uint64_t>(divide_up(plan.piece, plan.step_bytes), room.stage_blocks));
}

// Small blocks on many multiprocessors, then larger ones, then several rounds.
void shape_pulls(Plan& plan, const Room& room) {
  const uint64_t packets = divide_up(plan.piece, 16);
  const uint32_t most =
      plan.piece < kLongPull ? room.stage_blocks : std::max(room.stage_blocks / 2, 1u);
  const uint64_t needed = round_up(divide_up(packets, most), 32);
  plan.threads = static_cast<uint32_t>(std::clamp<uint64_t>(needed, kFewThreads, kManyThreads));
  plan.blocks = static_cast<uint32_t>(std::min<uint64_t>(divide_up(packets, plan.threads), most));
}

// Rows in registers; few ones are spread over several multiprocessors each. False: they do not fit.
bool shape_rows(Plan& plan, uint64_t row, uint64_t rows, uint32_t ranks, const Room& room) {
  const uint64_t lines = divide_up(row, kLineBytes);
  if (rows * lines * kLineBytes > Heap{ranks}.mark_bytes()) return false;
  uint32_t cluster = 1;
  while (cluster * 2 <= room.cluster && rows * cluster * 2 <= room.spread &&
         row / (cluster * 2) >= kLeastPart) {
    cluster *= 2;
  }
  const uint64_t part = divide_up(lines, cluster) * kLanes;
  const uint32_t each = part <= kManyThreads ? 1 : row_packets(ranks);
  const uint64_t threads = round_up(divide_up(part, each), 32);
  if (threads > kManyThreads) return false;
  plan.kernel = Kernel::kFusedPush;
  plan.threads = static_cast<uint32_t>(threads);
  plan.blocks = static_cast<uint32_t>(std::min<uint64_t>(rows, room.spread / cluster) * cluster);
  plan.cluster = cluster;
  plan.once = each;
  plan.lag = kRowsAhead;
  return true;
}

Kernel pull_kernel(muster_op op) {
  switch (op) {
    case MUSTER_ALL_REDUCE:
      return Kernel::kAllReducePull;
    case MUSTER_REDUCE_SCATTER:
      return Kernel::kReduceScatterPull;
    case MUSTER_ALL_GATHER:
      return Kernel::kAllGatherPull;
    case MUSTER_ALL_TO_ALL:
      return Kernel::kAllToAllPull;
    default:
      return Kernel::kBroadcastPull;
  }
}

Kernel move_kernel(muster_op op, bool staged) {
  switch (op) {
    case MUSTER_ALL_GATHER:
      return staged ? Kernel::kAllGatherStaged : Kernel::kAllGatherPush;
    case MUSTER_ALL_TO_ALL:
      return staged ? Kernel::kAllToAllStaged : Kernel::kAllToAllPush;
    default:
      return staged ? Kernel::kBroadcastStaged : Kernel::kBroadcastPush;
  }
}

}  // namespace

Plan plan_of(muster_op op, uint64_t bytes, uint32_t ranks, Algorithm algorithm, const Room& room) {
  Plan plan;
  const bool staged = algorithm == Algorithm::kStaged;
  plan.bytes = bytes;
  plan.piece = bytes;
  if (algorithm == Algorithm::kOneShotPull) {
    plan.kernel = pull_kernel(op);
    if (op == MUSTER_REDUCE_SCATTER) plan.bytes = bytes * ranks;
    shape_pulls(plan, room);
    return plan;
  }
  if (op == MUSTER_ALL_REDUCE) {
    if (algorithm == Algorithm::kOneShotPush) {
      shape_one_shot(plan, ranks, room);
      return plan;
    }
    plan.kernel = staged ? Kernel::kAllReduceStaged : Kernel::kTwoShotPush;
    plan.piece = round_up(divide_up(bytes, ranks), staged ? 128 : uint64_t{kLineData});
  } else if (op == MUSTER_REDUCE_SCATTER) {
    plan.kernel = staged ? Kernel::kReduceScatterStaged : Kernel::kReduceScatterPush;
    plan.bytes = bytes * ranks;
  } else {
    plan.kernel = move_kernel(op, staged);
  }
  if (staged) {
    shape_stages(plan, ranks, room);
  } else {
    shape_lines(plan, 1, room);
  }
  return plan;
}

Plan fused_plan_of(uint64_t bytes, uint64_t hidden, uint64_t size, uint32_t ranks, bool quantised,
                   const Room& room) {
  Plan plan;
  plan.bytes = plan.piece = bytes;
  const uint64_t row = hidden * size;
  const uint64_t rows = bytes / row;
  // Groups of quantised elements are normed out of shared memory.
  if (!quantised && shape_rows(plan, row, rows, ranks, room)) return plan;
  const uint64_t lines = divide_up(row, kLineData);
  plan.kernel = Kernel::kFusedPushRows;
  // The last lane of a line has half a packet, but reads a whole one.
  const uint64_t elements = (lines * kLineData + kLanes * sizeof(uint64_t) * 2 - kLineData) / size;
  plan.shared_bytes =
      static_cast<uint32_t>(std::min<uint64_t>(elements * sizeof(float), UINT32_MAX));
  if (plan.shared_bytes > room.row_bytes) {
    plugin::fail(MUSTER_UNIMPLEMENTED,
                 "cuda_peer does not normalise rows of " + std::to_string(hidden) + " elements",
                 "forbid cuda_peer for fused_all_reduce_rmsnorm");
  }
  plan.threads =
      static_cast<uint32_t>(std::clamp<uint64_t>(round_up(lines * kLanes, 32), 64, kManyThreads));
  // Rows too long for two blocks of a multiprocessor to have theirs in shared memory.
  const uint64_t beside =
      plan.shared_bytes * uint64_t{2} > room.row_bytes ? room.spread : room.row_blocks;
  plan.blocks = static_cast<uint32_t>(std::min(rows, beside));
  return plan;
}

}  // namespace muster::cuda_peer
