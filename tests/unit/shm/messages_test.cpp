// Batches, and sends and receives that must not wait for each other.
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <utility>

#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

muster_call message(muster_op op, uint32_t peer, void* data, uint64_t count) {
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = op;
  call.dtype = MUSTER_U8;
  call.peer = peer;
  call.count = count;
  if (op == MUSTER_SEND) {
    call.send = data;
  } else {
    call.recv = data;
  }
  return call;
}

uint64_t length_of(uint32_t from, uint32_t to) {
  return (from * 3 + to * 5) % 4 == 0 ? 0 : 700u * from + 300u * to + 5;
}

// Every rank sends to every rank, itself too, twice; far more than fits into the boxes. All sends
// stand before all receives.
TEST(Messages, GivenABatchOfSendsAndReceivesAllToAllThenAllArrive) {
  for (const uint32_t size : {2u, 3u, 8u}) {
    World world(size, kSmall);
    run_ranks(world, [&](Rank& rank) {
      for (int round = 0; round < 5; ++round) {
        std::vector<Bytes> sent, received, expected;
        for (uint32_t twice = 0; twice < 2; ++twice) {
          for (uint32_t r = 0; r < size; ++r) {
            const uint64_t out = length_of(rank.rank(), r), in = length_of(r, rank.rank());
            sent.push_back(random_elements(MUSTER_U8, out, 100 * rank.rank() + 10 * r + twice));
            received.emplace_back(in);
            expected.push_back(random_elements(MUSTER_U8, in, 100 * r + 10 * rank.rank() + twice));
          }
        }
        std::vector<muster_call> calls;
        for (uint32_t i = 0; i < 2 * size; ++i) {
          calls.push_back(message(MUSTER_SEND, i % size, sent[i].data(), sent[i].size()));
        }
        for (uint32_t i = 0; i < 2 * size; ++i) {
          calls.push_back(message(MUSTER_RECV, i % size, received[i].data(), received[i].size()));
        }
        const Status status = rank.execute_batch(calls);
        ASSERT_TRUE(status.ok()) << status.message();
        ASSERT_EQ(received, expected);
      }
    });
  }
}

// Some messages each way, of any length, in boxes that hold large chunks: these change places with
// those that come back, whichever rank is ahead.
TEST(Messages, GivenBothSendAboutAsMuchThenNoChunkIsPutWhereAnotherStillLies) {
  for (const char* far_ns : {"0", "1"}) {
    World world(2, {{"box_bytes", "8192"}, {"far_ns", far_ns}});
    run_ranks(world, [&](Rank& rank) {
      std::mt19937_64 random(17);  // both ranks draw the same
      std::mt19937_64 pauses(rank.rank());
      for (int round = 0; round < 300; ++round) {
        std::vector<Bytes> sent, received, expected;
        for (uint32_t from = 0; from < 2; ++from) {
          for (uint64_t n = random() % 4; n != 0; --n) {
            const uint64_t bytes = random() % 3 == 0 ? random() % 100 : random() % 30000;
            Bytes content = random_elements(MUSTER_U8, bytes, random());
            if (from == rank.rank()) {
              sent.push_back(std::move(content));
            } else {
              received.emplace_back(bytes);
              expected.push_back(std::move(content));
            }
          }
        }
        std::vector<muster_call> calls;
        const uint32_t peer = 1 - rank.rank();
        for (Bytes& bytes : sent) {
          calls.push_back(message(MUSTER_SEND, peer, bytes.data(), bytes.size()));
        }
        for (Bytes& bytes : received) {
          calls.push_back(message(MUSTER_RECV, peer, bytes.data(), bytes.size()));
        }
        if (pauses() % 4 == 0) std::this_thread::yield();
        if (calls.empty()) continue;
        const Status status = rank.execute_batch(calls);
        ASSERT_TRUE(status.ok()) << status.message();
        ASSERT_EQ(received, expected) << round;
      }
    });
  }
}

TEST(Messages, GivenABatchOfCollectivesAndMessagesThenBothAreCarriedOut) {
  constexpr uint32_t kSize = 3;
  World world(kSize, kSmall);
  run_ranks(world, [&](Rank& rank) {
    Exchange reduction;
    reduction.redop = MUSTER_SUM;
    reduction.size = kSize;
    reduction.count = 3000;
    Exchange gathering = reduction;
    gathering.op = MUSTER_ALL_GATHER;
    gathering.redop = MUSTER_REDOP_NONE;
    Exchange ring = gathering;
    ring.op = MUSTER_SEND_RECV;
    ring.root = 1;
    std::vector<std::unique_ptr<Side>> sides;
    std::vector<muster_call> calls;
    for (const Exchange& exchange : {ring, reduction, ring, gathering}) {
      sides.push_back(side_of(exchange, rank.rank()));
      calls.push_back(sides.back()->call);
    }
    const Status status = rank.execute_batch(calls);
    ASSERT_TRUE(status.ok()) << status.message();
    for (const auto& side : sides) EXPECT_EQ(side->recv, side->expected);
  });
}

// Long enough that the ranks overtake each other while boxes fill and empty.
TEST(Messages, GivenManyMessagesBetweenOnePairThenTheyArriveInTheOrderSent) {
  constexpr size_t kMessages = 300;
  constexpr uint64_t kBytes = 1000;
  World world(2, kSmall);
  run_ranks(world, [&](Rank& rank) {
    std::vector<Bytes> buffers;
    std::vector<muster_call> calls;
    for (size_t i = 0; i < kMessages; ++i) {
      buffers.push_back(rank.rank() == 0 ? random_elements(MUSTER_U8, kBytes, i) : Bytes(kBytes));
      calls.push_back(message(rank.rank() == 0 ? MUSTER_SEND : MUSTER_RECV, 1 - rank.rank(),
                              buffers.back().data(), kBytes));
    }
    const Status status = rank.execute_batch(calls);
    ASSERT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < kMessages; ++i) {
      ASSERT_EQ(buffers[i], random_elements(MUSTER_U8, kBytes, i)) << i;
    }
  });
}

// What has not been sent yet must not be overwritten by what arrives.
TEST(Messages, GivenALongAllToAllvInPlaceThenNothingIsOverwrittenBeforeItIsSent) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Exchange x;
    x.op = MUSTER_ALL_TO_ALLV;
    x.dtype = MUSTER_U8;
    x.size = 3;
    x.count = 100'000;
    x.in_place = true;
    x.seed = seed;
    World world(x.size, kSmall);
    run_ranks(world, [&](Rank& rank) {
      const std::unique_ptr<Side> side = side_of(x, rank.rank());
      ASSERT_TRUE(rank.execute(side->call).ok());
      EXPECT_TRUE(side->recv == side->expected) << x.text();
    });
  }
}

TEST(Messages, GivenAnEmptyBatchThenNothingHappens) {
  World world(2, kSmall);
  run_ranks(world, [](Rank& rank) { EXPECT_TRUE(rank.execute_batch({}).ok()); });
}

TEST(Messages, GivenASendThatMeetsAReceiveOfAnotherLengthThenTheReceiverSaysSo) {
  World world(2, kSmall);
  run_ranks(world, [](Rank& rank) {
    Bytes bytes(40);
    if (rank.rank() == 0) {
      EXPECT_TRUE(rank.execute(message(MUSTER_SEND, 1, bytes.data(), 40)).ok());
    } else {
      const Status status = rank.execute(message(MUSTER_RECV, 0, bytes.data(), 0));
      EXPECT_EQ(status.code(), uint32_t{MUSTER_MISMATCH});
      EXPECT_EQ(status.cause(), "rank 0 sends 40 bytes where rank 1 receives 0");
    }
  });
}

TEST(Messages, GivenASendToOneselfWithoutAReceiveThenItIsRefusedInsteadOfHanging) {
  World world(2, kSmall);
  run_ranks(world, [](Rank& rank) {
    Bytes bytes(4);
    const Status sent = rank.execute(message(MUSTER_SEND, rank.rank(), bytes.data(), 4));
    EXPECT_EQ(sent.code(), uint32_t{MUSTER_MISMATCH});
  });
}

// A message on the program's channel may still lie in its box while a collective made of messages
// passes by.
TEST(Messages, GivenASentMessageNotYetReceivedThenCollectivesOfUnknownSizePassIt) {
  constexpr uint32_t kSize = 2;
  World world(kSize, kSmall);
  run_ranks(world, [&](Rank& rank) {
    Bytes bytes = random_elements(MUSTER_U8, 100, 3);
    Exchange x;
    x.op = MUSTER_ALL_TO_ALLV;
    x.dtype = MUSTER_U8;
    x.size = kSize;
    x.count = 5000;
    const std::unique_ptr<Side> side = side_of(x, rank.rank());
    if (rank.rank() == 0) {
      ASSERT_TRUE(rank.execute(message(MUSTER_SEND, 1, bytes.data(), 100)).ok());
    }
    ASSERT_TRUE(rank.execute(side->call).ok());
    EXPECT_EQ(side->recv, side->expected);
    if (rank.rank() == 1) {
      Bytes received(100);
      ASSERT_TRUE(rank.execute(message(MUSTER_RECV, 0, received.data(), 100)).ok());
      EXPECT_EQ(received, bytes);
    }
  });
}

}  // namespace
}  // namespace muster::shm_test
