// Every operation that moves data: type x place x layout x count, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/ranks/mpi/session.hpp"
#include "tests/ranks/values.hpp"

namespace muster::testing {
namespace {

using Bytes = std::vector<unsigned char>;
using ranks::bytes_of;

constexpr unsigned char kPoison = 0xA5;

// Block `to` of rank `from`.
Bytes block(uint32_t from, uint32_t to, uint64_t bytes) {
  Bytes data(bytes);
  for (uint64_t i = 0; i < bytes; ++i) {
    data[i] = static_cast<unsigned char>(31 * from + 101 * to + 7 * i + 1);
  }
  return data;
}

void place(Bytes& data, uint64_t at, const Bytes& block) {
  std::copy(block.begin(), block.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
}

// Counts and displacements of n blocks; with gaps, they lie in reverse order, one element apart.
struct Blocks {
  std::vector<uint64_t> counts;
  std::vector<uint64_t> displs;
  uint64_t end = 0;
  bool gaps;

  Blocks(const std::vector<uint64_t>& given, bool with_gaps)
      : counts(given), displs(given.size()), gaps(with_gaps) {
    for (size_t i = 0; i < counts.size(); ++i) {
      const size_t r = gaps ? counts.size() - 1 - i : i;
      displs[r] = end;
      end += counts[r] + (gaps ? 1 : 0);
    }
  }
  const uint64_t* displacements() const { return gaps ? displs.data() : nullptr; }
};

struct Case {
  muster_op op;
  muster_dtype dtype;
  uint64_t count;
  bool in_place;
  bool gaps;
  uint32_t root;

  std::string text() const {
    return "op " + std::to_string(op) + " dtype " + std::to_string(dtype) + " count " +
           std::to_string(count) + (in_place ? " in place" : "") + (gaps ? " with gaps" : "") +
           " root " + std::to_string(root);
  }
};

// What a rank gives and gets: buffers with their expected contents.
struct Plan {
  Bytes send;
  Bytes recv;
  Bytes want;
  muster_call call{};
};

uint64_t pair_count(const Case& c, uint32_t from, uint32_t to) {
  return c.op == MUSTER_ALL_TO_ALLV ? (2 * from + 3 * to + c.count) % (c.count + 3) : c.count;
}
uint64_t rank_count(const Case& c, uint32_t rank) {
  const bool varies =
      c.op == MUSTER_ALL_GATHERV || c.op == MUSTER_GATHERV || c.op == MUSTER_SCATTERV;
  return varies ? (5 * rank + c.count) % (c.count + 4) : c.count;
}

void run(Group& group, const Case& c) {
  const uint32_t n = group.size();
  const uint32_t rank = group.rank();
  const uint64_t unit = bytes_of(c.dtype);
  const bool root = rank == c.root;
  std::vector<uint64_t> given(n);
  std::vector<uint64_t> taken(n);
  for (uint32_t r = 0; r < n; ++r) {
    const bool pairs = c.op == MUSTER_ALL_TO_ALL || c.op == MUSTER_ALL_TO_ALLV;
    given[r] = pairs ? pair_count(c, rank, r) : rank_count(c, r);
    taken[r] = pairs ? pair_count(c, r, rank) : rank_count(c, r);
  }
  const Blocks out(given, c.gaps);
  const Blocks in(taken, c.gaps);

  Plan p;
  p.call.struct_size = MUSTER_CALL_SIZE;
  p.call.op = c.op;
  p.call.dtype = c.dtype;
  p.call.root = c.root;
  p.call.count = c.count;
  p.call.flags = c.in_place ? MUSTER_CALL_IN_PLACE : 0;
  uint64_t send_at = 0;  // in place: where send lies in recv, or recv in send
  bool recv_in_send = false;
  const uint64_t mine = rank_count(c, rank);
  switch (c.op) {
    case MUSTER_BROADCAST:
      p.send = root || c.in_place ? block(c.root, 0, c.count * unit) : Bytes{};
      if (!root && c.in_place) p.send.assign(c.count * unit, kPoison);
      p.recv.assign(c.count * unit, kPoison);
      p.want = block(c.root, 0, c.count * unit);
      break;
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHER:
    case MUSTER_GATHERV: {
      const bool all = c.op == MUSTER_ALL_GATHER || c.op == MUSTER_ALL_GATHERV;
      p.send = block(rank, 0, mine * unit);
      p.call.count = mine;
      if (all || root) {
        p.recv.assign(in.end * unit, kPoison);
        p.want = p.recv;
        for (uint32_t r = 0; r < n; ++r) {
          place(p.want, in.displs[r] * unit, block(r, 0, in.counts[r] * unit));
        }
        send_at = in.displs[rank] * unit;
        p.call.recv_counts = in.counts.data();
        p.call.recv_displs = in.displacements();
      } else if (c.op == MUSTER_GATHERV) {
        p.call.recv_counts = nullptr;
      }
      break;
    }
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      if (root) {
        p.send.assign(out.end * unit, kPoison);
        for (uint32_t r = 0; r < n; ++r) {
          place(p.send, out.displs[r] * unit, block(c.root, r, out.counts[r] * unit));
        }
        p.call.send_counts = out.counts.data();
        p.call.send_displs = out.displacements();
        send_at = out.displs[rank] * unit;
      }
      p.call.count = mine;
      p.recv.assign(mine * unit, kPoison);
      p.want = block(c.root, rank, mine * unit);
      recv_in_send = true;
      break;
    default:
      p.send.assign(std::max(out.end, in.end) * unit, kPoison);
      p.recv.assign(std::max(out.end, in.end) * unit, kPoison);
      for (uint32_t r = 0; r < n; ++r) {
        place(p.send, out.displs[r] * unit, block(rank, r, out.counts[r] * unit));
      }
      p.want = c.in_place ? p.send : p.recv;
      for (uint32_t r = 0; r < n; ++r) {
        place(p.want, in.displs[r] * unit, block(r, rank, in.counts[r] * unit));
      }
      p.call.send_counts = out.counts.data();
      p.call.recv_counts = in.counts.data();
      p.call.send_displs = out.displacements();
      p.call.recv_displs = in.displacements();
      break;
  }
  Bytes nothing(1, kPoison);
  p.call.send = p.send.empty() ? nothing.data() : p.send.data();
  p.call.recv = p.recv.empty() ? nothing.data() : p.recv.data();
  const unsigned char* result = p.recv.data();
  const bool rooted = c.op == MUSTER_GATHER || c.op == MUSTER_GATHERV || recv_in_send;
  if (c.in_place && (!rooted || root)) {
    if (recv_in_send) {
      p.call.recv = p.send.data() + send_at;
      result = p.send.data() + send_at;
    } else if (c.op == MUSTER_BROADCAST || c.op == MUSTER_ALL_TO_ALL ||
               c.op == MUSTER_ALL_TO_ALLV) {
      p.call.recv = p.send.data();
      result = p.send.data();
    } else {
      place(p.recv, send_at, p.send);
      p.call.send = p.recv.data() + send_at;
    }
  }
  const Outcome outcome = group.execute(p.call);
  ASSERT_TRUE(outcome.ok()) << c.text() << ": " << outcome.cause;
  ASSERT_EQ(Bytes(result, result + p.want.size()), p.want) << c.text();
}

const muster_op kMoves[] = {MUSTER_BROADCAST, MUSTER_ALL_GATHER, MUSTER_ALL_GATHERV,
                            MUSTER_GATHER,    MUSTER_GATHERV,    MUSTER_SCATTER,
                            MUSTER_SCATTERV,  MUSTER_ALL_TO_ALL, MUSTER_ALL_TO_ALLV};

TEST(Moves, EveryOperationTypeAndLayoutArrivesByteForByte) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  uint32_t turn = 0;
  for (muster_op op : kMoves) {
    const bool lays_out = op == MUSTER_ALL_GATHERV || op == MUSTER_GATHERV ||
                          op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALLV;
    for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (uint64_t count : {0, 1, 5, 2003}) {
        for (bool in_place : {false, true}) {
          for (bool gaps : {false, true}) {
            if (gaps && !lays_out) continue;
            run(*group, {op, dtype, count, in_place, gaps, turn++ % group->size()});
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Moves, BarrierReturnsOnAllRanks) {
  const auto group = session().group();
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = MUSTER_BARRIER;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(group->execute(call).ok());
}

muster_call message(muster_op op, Bytes& data, uint32_t peer) {
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = op;
  call.dtype = MUSTER_U8;
  call.peer = peer;
  call.count = data.size();
  if (op == MUSTER_RECV) {
    call.recv = data.data();
  } else {
    call.send = data.data();
  }
  return call;
}

TEST(Messages, ARingOfSendRecvMovesEveryBlockOn) {
  const auto group = session().group();
  const uint32_t n = group->size();
  const uint32_t rank = group->rank();
  for (uint64_t bytes : {0, 1, 300'000}) {
    Bytes out = block(rank, 0, bytes);
    Bytes in(bytes + rank, kPoison);
    muster_call call = message(MUSTER_SEND_RECV, out, (rank + 1) % n);
    call.recv = in.data();
    call.recv_count = bytes;
    call.recv_peer = (rank + n - 1) % n;
    const Outcome outcome = group->execute(call);
    ASSERT_TRUE(outcome.ok()) << outcome.cause;
    in.resize(bytes);
    EXPECT_EQ(in, block((rank + n - 1) % n, 0, bytes));
  }
}

TEST(Messages, SendAndRecvMeet) {
  const auto group = session().group();
  Bytes data = block(group->rank(), 1, 4001);
  if (group->rank() == 0) {
    EXPECT_TRUE(group->execute(message(MUSTER_SEND, data, 1)).ok());
  } else if (group->rank() == 1) {
    EXPECT_TRUE(group->execute(message(MUSTER_RECV, data, 0)).ok());
    EXPECT_EQ(data, block(0, 1, 4001));
  }
}

// Every rank sends before it receives, with a collective in between: one by one this would block.
TEST(Messages, ABatchHasNoOrderAmongItsCalls) {
  const auto group = session().group();
  const uint32_t n = group->size();
  const uint32_t rank = group->rank();
  constexpr uint64_t kBytes = 200'000;
  std::vector<Bytes> out(n);
  std::vector<Bytes> in(n, Bytes(kBytes, kPoison));
  std::vector<muster_call> calls;
  for (uint32_t peer = 0; peer < n; ++peer) {
    out[peer] = block(rank, peer, kBytes);
    calls.push_back(message(MUSTER_SEND, out[peer], peer));
  }
  muster_call barrier{};
  barrier.struct_size = MUSTER_CALL_SIZE;
  barrier.op = MUSTER_BARRIER;
  calls.push_back(barrier);
  for (uint32_t peer = 0; peer < n; ++peer) calls.push_back(message(MUSTER_RECV, in[peer], peer));
  const Outcome outcome = group->execute_batch(calls);
  ASSERT_TRUE(outcome.ok()) << outcome.cause;
  for (uint32_t peer = 0; peer < n; ++peer) EXPECT_EQ(in[peer], block(peer, rank, kBytes));
}

}  // namespace
}  // namespace muster::testing
