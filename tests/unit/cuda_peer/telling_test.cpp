#include "plugins/backends/cuda_peer/telling.hpp"

#include <gtest/gtest.h>

namespace muster::cuda_peer {
namespace {

using Reach = Telling::Reach;

struct Told {
  char send[64];
  char recv[64];
  muster_call call{};
  explicit Told(muster_op op, uint64_t count) {
    call.op = op;
    call.dtype = MUSTER_BF16;
    call.count = count;
    call.send = send;
    call.recv = recv;
    call.root = 1;
  }
  Telling of(Kernel kernel, uint32_t rank = 0) const { return telling_of(kernel, call, rank, 4); }
};

TEST(Telling, GivenAKernelThatStoresThenTheWholeResultIsTold) {
  const Told reduce(MUSTER_ALL_REDUCE, 100);
  const Telling all = reduce.of(Kernel::kAllReduceStaged);
  EXPECT_EQ(all.reach, Reach::kStore);
  EXPECT_TRUE(all.needed && all.possible);
  EXPECT_EQ(all.buffer, reduce.recv);
  EXPECT_EQ(all.bytes, 200u);
  EXPECT_EQ(Told(MUSTER_ALL_GATHER, 8).of(Kernel::kAllGatherStaged).bytes, 64u);
}

TEST(Telling, GivenAKernelThatPullsThenTheWholeOperandIsTold) {
  const Told reduce(MUSTER_REDUCE_SCATTER, 8);
  const Telling all = reduce.of(Kernel::kReduceScatterPull);
  EXPECT_EQ(all.reach, Reach::kRead);
  EXPECT_EQ(all.buffer, reduce.send);
  EXPECT_EQ(all.bytes, 64u);
  EXPECT_EQ(Told(MUSTER_ALL_GATHER, 8).of(Kernel::kAllGatherPull).bytes, 16u);
}

TEST(Telling, GivenABroadcastThenOnlyOneSideIsNeeded) {
  const Told broadcast(MUSTER_BROADCAST, 8);
  EXPECT_TRUE(broadcast.of(Kernel::kBroadcastPull, 1).needed);
  EXPECT_FALSE(broadcast.of(Kernel::kBroadcastPull, 0).needed);
  EXPECT_FALSE(broadcast.of(Kernel::kBroadcastStaged, 1).needed);
  EXPECT_TRUE(broadcast.of(Kernel::kBroadcastStaged, 0).needed);
}

TEST(Telling, GivenALayoutThatPeersCannotStoreIntoThenItIsNotPossible) {
  EXPECT_FALSE(Told(MUSTER_ALL_GATHER, 7).of(Kernel::kAllGatherStaged).possible);
  Told in_place(MUSTER_ALL_TO_ALL, 8);
  EXPECT_TRUE(in_place.of(Kernel::kAllToAllStaged).possible);
  in_place.call.recv = in_place.send;
  EXPECT_FALSE(in_place.of(Kernel::kAllToAllStaged).possible);
}

TEST(Telling, GivenKernelsThatReachForNothingThenNothingIsTold) {
  for (const Kernel kernel : {Kernel::kOneShotPush, Kernel::kReduceScatterStaged}) {
    EXPECT_EQ(Told(MUSTER_ALL_REDUCE, 8).of(kernel).reach, Reach::kNone);
  }
}

TEST(Telling, GivenPiecesThatAreNoPacketsThenTheyCannotBePulled) {
  EXPECT_TRUE(is_pullable(MUSTER_ALL_REDUCE, 6));
  EXPECT_TRUE(is_pullable(MUSTER_ALL_GATHER, 6));
  EXPECT_TRUE(is_pullable(MUSTER_REDUCE_SCATTER, 32));
  EXPECT_FALSE(is_pullable(MUSTER_REDUCE_SCATTER, 40));
  EXPECT_FALSE(is_pullable(MUSTER_ALL_TO_ALL, 6));
}

}  // namespace
}  // namespace muster::cuda_peer
