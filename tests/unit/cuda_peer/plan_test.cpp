#include "plugins/backends/cuda_peer/plan.hpp"

#include <gtest/gtest.h>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/device/contract.h"

namespace muster::cuda_peer {
namespace {

constexpr Room kDevice{132, 264, 264, 264, 0, 0, 0, 8, 200 * 1024};
constexpr Room kShared{16, 16, 16, 16, 0, 0, 0, 1, 200 * 1024};

constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER,
                              MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};

bool is_wide(Kernel kernel) { return kernel == Kernel::kOneShotPushWide; }

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
              const uint32_t each = plan.once != 0 ? plan.once : is_wide(plan.kernel) ? 2 : 1;
              EXPECT_LE(plan.threads / 8 * each, kLinesPerSlot);
              if (plan.once != 0) {
                EXPECT_GE(plan.blocks * (plan.threads / 8) * uint64_t{each} * 120, plan.piece);
              } else {
                EXPECT_NE(plan.kernel, Kernel::kOneShotPush);
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

TEST(Plan, GivenOneRoundIsEnoughThenThreadsHaveAsManyLinesAsItTakes) {
  const auto once = [](uint64_t bytes) {
    return plan_of(MUSTER_ALL_REDUCE, bytes, 2, Algorithm::kOneShotPush, kDevice).once;
  };
  EXPECT_EQ(once(1 << 20), 1u);
  EXPECT_EQ(once(4 << 20), 3u);
  EXPECT_EQ(once(16 << 20), 0u);
}

TEST(Plan, GivenSmallMessagesThenBlocksAreAsLargeAsWasMeasured) {
  const auto threads = [](uint64_t bytes) {
    return plan_of(MUSTER_ALL_REDUCE, bytes, 2, Algorithm::kOneShotPush, kDevice).threads;
  };
  EXPECT_EQ(threads(32 << 10), 128u);
  EXPECT_EQ(threads(64 << 10), 256u);
  EXPECT_EQ(threads(128 << 10), 256u);
  EXPECT_EQ(threads(1 << 20), 512u);
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

TEST(Plan, GivenVeryFewRowsThenEachIsSpreadOverACluster) {
  const uint64_t row = 8192 * 2;
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kDevice).cluster, 8u);
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kDevice).blocks, 8u);
  EXPECT_EQ(fused_plan_of(8 * row, 8192, 2, 2, false, kDevice).cluster, 1u);
  EXPECT_EQ(fused_plan_of(512 * row, 8192, 2, 2, false, kDevice).cluster, 1u);
  EXPECT_EQ(fused_plan_of(512 * row, 8192, 2, 2, false, kDevice).blocks, 264u);
  // Groups of quantised elements are not divided; nor is a row where ranks share the device.
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, true, kDevice).cluster, 1u);
  EXPECT_EQ(fused_plan_of(row, 8192, 2, 2, false, kShared).cluster, 1u);
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
    EXPECT_EQ(heap.bytes(),
              heap.stage(1, kStageChannels - 1, kStages - 1, ranks - 1) + heap.stage_bytes());
    EXPECT_GE(kStages, 2 * kLag + 2);
  }
}

}  // namespace
}  // namespace muster::cuda_peer
