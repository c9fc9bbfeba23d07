// Ranks that leave or never come, aborts, missing kernels, and the faults that the backend makes on
// purpose.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/names.hpp"
#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

Exchange exchange_of(muster_op op, uint32_t size) {
  Exchange x;
  x.op = op;
  x.redop = op_reduces(op) ? MUSTER_SUM : MUSTER_REDOP_NONE;
  x.size = size;
  x.count = 9000;  // many steps, and more than the boxes hold
  x.root = op == MUSTER_SCATTER || op == MUSTER_SCATTERV || op == MUSTER_BROADCAST ? 1 : 0;
  x.peer = 1;
  return x;
}

// 0 is the rank that stays: in each of these it needs something from the last rank.
const muster_op kOps[] = {
    MUSTER_ALL_REDUCE, MUSTER_REDUCE,      MUSTER_REDUCE_SCATTER, MUSTER_BROADCAST, MUSTER_SEND,
    MUSTER_ALL_GATHER, MUSTER_ALL_GATHERV, MUSTER_GATHER,         MUSTER_GATHERV,   MUSTER_SCATTER,
    MUSTER_SCATTERV,   MUSTER_ALL_TO_ALL,  MUSTER_ALL_TO_ALLV,    MUSTER_BARRIER};

TEST(Faults, GivenAPeerThatLeftThenTheCallSaysSoAndTheGroupStaysBroken) {
  for (const muster_op op : kOps) {
    World world(2, kSmall);
    run_ranks(world, [&](Rank& rank) {
      if (rank.rank() == 1) return;
      const std::unique_ptr<Side> side = side_of(exchange_of(op, 2), 0);
      const Status status = rank.execute(side->call);
      EXPECT_EQ(status.code(), uint32_t{MUSTER_PEER_LOST}) << op_name(op);
      EXPECT_NE(status.cause().find("rank 1"), std::string::npos) << status.message();
      EXPECT_EQ(rank.execute(side->call).code(), uint32_t{MUSTER_FAILED_PRECONDITION});
    });
  }
}

TEST(Faults, GivenOneOfManyPeersLeftThenAWaitForSeveralNamesIt) {
  constexpr uint32_t kSize = 4;
  World world(kSize, kSmall);
  run_ranks(world, [&](Rank& rank) {
    if (rank.rank() == 3) return;
    const std::unique_ptr<Side> side = side_of(exchange_of(MUSTER_ALL_TO_ALLV, kSize), rank.rank());
    const Status status = rank.execute(side->call);
    EXPECT_EQ(status.code(), uint32_t{MUSTER_PEER_LOST}) << status.message();
  });
}

TEST(Faults, GivenAPeerThatNeverCallsThenTheDeadlineEndsTheCall) {
  constexpr uint64_t kShort = 30'000'000;
  for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_ALL_TO_ALLV, MUSTER_SEND}) {
    World world(2, kSmall, kShort);
    std::atomic<bool> over{false};
    run_ranks(world, [&](Rank& rank) {
      if (rank.rank() == 1) {
        while (!over) usleep(1000);
        return;
      }
      const std::unique_ptr<Side> side = side_of(exchange_of(op, 2), 0);
      EXPECT_EQ(rank.execute(side->call).code(), uint32_t{MUSTER_DEADLINE_EXCEEDED}) << op_name(op);
      over = true;
    });
  }
}

TEST(Faults, GivenTheGroupIsAbortedThenAWaitingCallEnds) {
  World world(2, kSmall);
  std::atomic<bool> over{false};
  run_ranks(world, [&](Rank& rank) {
    if (rank.rank() == 1) {
      world.aborted = 1;
      while (!over) usleep(1000);
      return;
    }
    const std::unique_ptr<Side> side = side_of(exchange_of(MUSTER_ALL_REDUCE, 2), 0);
    EXPECT_EQ(rank.execute(side->call).code(), uint32_t{MUSTER_ABORTED});
    over = true;
  });
}

TEST(Faults, GivenTheRuntimeLacksAnOfferedKernelThenConnectNamesThePair) {
  World world(2, kSmall);
  world.has_kernel = [](const muster_kernel_key& key) {
    return key.dtype != MUSTER_BF16 || key.redop != MUSTER_MAX;
  };
  run_unconnected(world, [](Rank& rank) {
    ASSERT_TRUE(rank.prepare().ok());
    const Status status = rank.connect();
    EXPECT_EQ(status.code(), uint32_t{MUSTER_UNAVAILABLE});
    EXPECT_EQ(status.cause(),
              "the runtime has no kernel host_reduce/1 for dtype 11, reduce operation 4");
  });
}

// As where the defaults of unlike processors differ.
TEST(Faults, GivenRanksWithChunksOfUnlikeSizesThenNoneConnectsAndAllAreToldWhatToSet) {
  World world(2, kSmall);
  world.options_of[1] = {{"chunk_bytes", "65536"}};
  run_unconnected(world, [&](Rank& rank) {
    ASSERT_TRUE(rank.prepare().ok());
    const Status status = rank.connect();
    EXPECT_EQ(status.code(), uint32_t{MUSTER_DATA_LOSS});
    EXPECT_NE(status.remedy().find("chunk_bytes"), std::string::npos) << status.message();
  });
}

TEST(Faults, GivenAFlipIsAskedForThenExactlyThatCallOfThatRankHasOneWrongBit) {
  constexpr uint32_t kSize = 3;
  for (const muster_op op : kOps) {
    if (op == MUSTER_SEND || op == MUSTER_BARRIER) continue;
    Exchange x = exchange_of(op, kSize);
    x.root = 1;
    x.gaps = x.op == MUSTER_ALL_GATHERV;
    Options options = kSmall;
    options["fault_flip_op"] = op_name(op);
    options["fault_flip_rank"] = "1";
    options["fault_flip_call"] = "1";
    World world(kSize, options);
    run_ranks(world, [&](Rank& rank) {
      for (int call = 0; call < 3; ++call) {
        const std::unique_ptr<Side> side = side_of(x, rank.rank());
        ASSERT_TRUE(rank.execute(side->call).ok());
        int wrong = 0;
        for (size_t i = 0; i < side->recv.size(); ++i) {
          wrong += __builtin_popcount(side->recv[i] ^ side->expected[i]);
        }
        const bool flipped = call == 1 && rank.rank() == 1 && !side->recv.empty();
        EXPECT_EQ(wrong, flipped ? 1 : 0) << op_name(op) << " rank " << rank.rank();
      }
    });
  }
}

TEST(Faults, GivenAFlipOfAnOperationThatDoesNotExistThenPrepareRefusesIt) {
  Options options = kSmall;
  options["fault_flip_op"] = "all_produce";
  World world(2, options);
  run_unconnected(world, [](Rank& rank) {
    EXPECT_EQ(rank.prepare().code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  });
}

size_t open_files() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

TEST(Faults, GivenGroupsCameAndWentThenNoDescriptorIsLeft) {
  const size_t before = open_files();
  for (int i = 0; i < 3; ++i) {
    World world(3, kSmall);
    run_ranks(world, [](Rank&) {});
    world.has_kernel = [](const muster_kernel_key&) { return false; };
    run_unconnected(world, [](Rank& rank) {
      EXPECT_TRUE(rank.prepare().ok());
      EXPECT_FALSE(rank.connect().ok());
    });
  }
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace muster::shm_test
