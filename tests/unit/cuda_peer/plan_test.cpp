#include "plugins/backends/cuda_peer/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {
namespace {

constexpr Room kDevice{132, 264, 264, 264, 0, 0, 0, 8, 200 * 1024};
constexpr Room kShared{16, 16, 16, 16, 0, 0, 0, 1, 200 * 1024};

constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER,
                              MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};

bool is_marked(Kernel kernel) {
  return kernel == Kernel::kMarkedPush || kernel == Kernel::kMarkedPushStream;
}

TEST(Plan, GivenAnyMessageThenALaunchFitsItsRoomAndItsSlots) {
  for (const Room& room : {kDevice, kShared}) {
    for (uint32_t ranks = 2; ranks <= 8; ++ranks) {
      for (const muster_op op : kOps) {
        for (uint64_t bytes = 1; bytes < uint64_t{1} << 33; bytes = bytes * 3 + 1) {
          for (const Algorithm algorithm : {Algorithm::kOneShotPush, Algorithm::kStaged}) {
            const Plan plan = plan_of(op, bytes, ranks, algorithm, room);
            const bool staged = algorithm == Algorithm::kStaged;
            EXPECT_GE(plan.blocks, 1u);
            EXPECT_LE(plan.blocks, staged ? room.stage_blocks : room.line_blocks);
            EXPECT_GE(plan.threads, 32u);
            EXPECT_LE(plan.threads, 512u);
            EXPECT_EQ(plan.threads % 32, 0u);
            if (staged) {
              EXPECT_EQ(plan.step_bytes % 128, 0u);
              EXPECT_LE(plan.step_bytes, Heap{ranks}.stage_bytes());
              EXPECT_GT(plan.step_bytes, 0u);
            } else {
              const uint64_t line = is_marked(plan.kernel) ? 128 : 120;
              const uint64_t held =
                  plan.blocks * (plan.threads / 8) * uint64_t{std::max(plan.once, 1u)} * line;
              const bool marked = is_marked(plan.kernel);
              EXPECT_TRUE(marked || plan.threads / 8 <= kLinesPerSlot);
              EXPECT_TRUE(plan.once == 0 || held >= plan.piece);
              EXPECT_TRUE(!marked || plan.once == 0 || plan.piece <= Heap{ranks}.mark_bytes());
              if (plan.kernel == Kernel::kOneShotPush || plan.kernel == Kernel::kMarkedPush) {
                EXPECT_EQ(plan.once, 1u);
              }
            }
          }
        }
      }
    }
  }
}

TEST(Plan, GivenTwoShotsThenThePiecesCoverTheMessage) {
  for (uint32_t ranks = 2; ranks <= 8; ++ranks) {
    for (const uint64_t bytes : {2ull, 118ull, 4096ull, 1000006ull}) {
      for (const Algorithm algorithm : {Algorithm::kTwoShotPush, Algorithm::kStaged}) {
        const Plan plan = plan_of(MUSTER_ALL_REDUCE, bytes, ranks, algorithm, kDevice);
        EXPECT_GE(plan.piece * ranks, bytes);
        EXPECT_LT(plan.piece * ranks, bytes + ranks * 128);
        EXPECT_EQ(plan.piece % (algorithm == Algorithm::kStaged ? 128 : 120), 0u);
      }
    }
  }
}

TEST(Plan, GivenAnAllReduceThenItsSizeSaysHowItsLinesGo) {
  const auto kernel = [](uint64_t bytes) {
    return plan_of(MUSTER_ALL_REDUCE, bytes, 2, Algorithm::kOneShotPush, kDevice).kernel;
  };
  EXPECT_EQ(kernel(64 << 10), Kernel::kOneShotPush);
  EXPECT_EQ(kernel(256 << 10), Kernel::kMarkedPush);
  EXPECT_EQ(kernel(2 << 20), Kernel::kMarkedPush);
  EXPECT_EQ(kernel(4 << 20), Kernel::kMarkedPushStream);
  EXPECT_EQ(kernel(16 << 20), Kernel::kMarkedPushStream);
  EXPECT_EQ(kernel(uint64_t{1} << 33), Kernel::kMarkedPushStream);
}

TEST(Plan, GivenARingThenItHasRoomForAsManyRoundsAsItsProofNeeds) {
  const Room large{264, 264, 264, 264, 0, 0, 0, 8, 200 * 1024};
  for (const Room& room : {kDevice, kShared, large}) {
    for (uint32_t ranks = 2; ranks <= 8; ++ranks) {
      const Plan plan =
          plan_of(MUSTER_ALL_REDUCE, uint64_t{1} << 30, ranks, Algorithm::kOneShotPush, room);
      ASSERT_EQ(plan.kernel, Kernel::kMarkedPushStream);
      const uint64_t round = uint64_t{plan.blocks} * plan.threads * 16;
      EXPECT_GE(Heap{ranks}.mark_bytes() / round, kLeastRing);
      EXPECT_LE(plan.blocks, room.line_blocks);
      EXPECT_GE(plan.blocks, 1u);
    }
  }
}

TEST(Plan, GivenSmallMessagesThenBlocksAreAsLargeAsWasMeasured) {
  const auto threads = [](uint64_t bytes) {
    return plan_of(MUSTER_ALL_REDUCE, bytes, 2, Algorithm::kOneShotPush, kDevice).threads;
  };
  EXPECT_EQ(threads(32 << 10), 128u);
  EXPECT_EQ(threads(64 << 10), 256u);
  EXPECT_EQ(threads(512 << 10), 128u);
  EXPECT_EQ(threads(1 << 20), 256u);
  EXPECT_EQ(threads(2 << 20), 512u);
}

TEST(Plan, GivenALongPullThenHalfOfTheBlocksRead) {
  const auto blocks = [](uint64_t bytes, const Room& room) {
    return plan_of(MUSTER_REDUCE_SCATTER, bytes, 2, Algorithm::kOneShotPull, room).blocks;
  };
  EXPECT_EQ(blocks((64 << 20) - 64, kDevice), kDevice.stage_blocks);
  EXPECT_EQ(blocks(64 << 20, kDevice), kDevice.stage_blocks / 2);
  Room one = kShared;
  one.stage_blocks = 1;
  EXPECT_EQ(blocks(64 << 20, one), 1u);
}

TEST(Plan, GivenPullsThenALaunchFitsTheChannelsOfStages) {
  for (const muster_op op : kOps) {
    for (uint64_t bytes = 16; bytes < uint64_t{1} << 33; bytes *= 4) {
      const Plan plan = plan_of(op, bytes, 4, Algorithm::kOneShotPull, kShared);
      EXPECT_GE(plan.blocks, 1u);
      EXPECT_LE(plan.blocks, kShared.stage_blocks);
      EXPECT_LE(plan.threads, 512u);
      EXPECT_EQ(plan.piece, bytes);
    }
  }
}

TEST(Plan, GivenASmallMessageThenOneBlockServesIt) {
  const Plan plan = plan_of(MUSTER_ALL_REDUCE, 1024, 2, Algorithm::kOneShotPush, kDevice);
  EXPECT_EQ(plan.blocks, 1u);
  EXPECT_EQ(plan.threads, 96u);  // nine lines of eight lanes
  EXPECT_EQ(plan.kernel, Kernel::kOneShotPush);
}

TEST(Plan, GivenFewRowsThenEachIsSpreadOverACluster) {
  const uint64_t row = 8192 * 2;
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kDevice).cluster, 8u);
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kDevice).blocks, 8u);
  EXPECT_EQ(fused_plan_of(32 * row, 8192, 2, 2, false, kDevice).cluster, 4u);
  EXPECT_EQ(fused_plan_of(512 * row, 8192, 2, 2, false, kDevice).cluster, 1u);
  EXPECT_EQ(fused_plan_of(512 * row, 8192, 2, 2, false, kDevice).blocks, 132u);
  // Short rows are not divided; nor is one where ranks share the device.
  EXPECT_EQ(fused_plan_of(666, 333, 2, 2, false, kDevice).cluster, 1u);
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kShared).cluster, 1u);
}

TEST(Plan, GivenRowsThenThoseThatFitAreInRegisters) {
  const auto plan = [](uint64_t rows, uint64_t hidden, uint32_t ranks, bool quantised) {
    return fused_plan_of(rows * hidden * 2, hidden, 2, ranks, quantised, kDevice);
  };
  for (const uint64_t rows : {1u, 7u, 129u, 1000u}) {
    for (const uint64_t hidden : {64u, 333u, 8192u, 12345u}) {
      const Plan p = plan(rows, hidden, 2, false);
      if (p.kernel != Kernel::kFusedPush) continue;
      EXPECT_GE(uint64_t{p.threads} * p.once * 16 * p.cluster, hidden * 2);
      EXPECT_LE(p.threads, 512u);
      EXPECT_EQ(p.blocks % p.cluster, 0u);
      EXPECT_LE(p.blocks, kDevice.spread);
    }
  }
  EXPECT_EQ(plan(512, 8192, 2, false).kernel, Kernel::kFusedPush);
  EXPECT_EQ(plan(512, 8192, 2, true).kernel, Kernel::kFusedPushRows);
  EXPECT_EQ(plan(200, 20000, 2, false).kernel, Kernel::kFusedPushRows);
  // More than there is room for.
  EXPECT_EQ(plan(4096, 8192, 2, false).kernel, Kernel::kFusedPushRows);
  EXPECT_EQ(plan(512, 8192, 4, false).kernel, Kernel::kFusedPushRows);
}

TEST(Plan, GivenARowThatDoesNotFitThenItIsRefused) {
  EXPECT_THROW(fused_plan_of(uint64_t{1} << 24, uint64_t{1} << 23, 2, 2, false, kDevice),
               plugin::Failure);
}

TEST(Plan, GivenTheHeapThenNothingInItOverlaps) {
  for (unsigned ranks = 2; ranks <= kMaxRanks; ++ranks) {
    const Heap heap{ranks};
    EXPECT_GE(heap.flag(0, 0, 0), sizeof(Counters) * kLineChannels);
    EXPECT_EQ(heap.lines_at(), heap.flag(1, kStageChannels - 1, kMaxRanks - 1) + kFlagStride);
    EXPECT_EQ(heap.lines_at() % 128, 0u);
    EXPECT_EQ(heap.stages_at(),
              heap.slot(kLineChannels - 1, kLineSlots - 1, ranks - 1) + kLinesPerSlot * kLineBytes);
    EXPECT_EQ(heap.stages_at() % 128, 0u);
    EXPECT_EQ(heap.marks_at(),
              heap.stage(1, kStageChannels - 1, kStages - 1, ranks - 1) + heap.stage_bytes());
    EXPECT_EQ(heap.marks_at() % 128, 0u);
    EXPECT_EQ(heap.bytes(), heap.marks(kMarkSlots - 1, ranks - 1) + heap.mark_bytes());
    EXPECT_GE(kStages, 2 * kLag + 2);
  }
}

}  // namespace
}  // namespace muster::cuda_peer
