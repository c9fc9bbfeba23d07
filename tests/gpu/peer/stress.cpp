#include <algorithm>
#include <cstdio>

#include "tests/gpu/peer/suites.hpp"
#include "tests/gpu/peer/trial.hpp"

namespace muster::peer_test {
namespace {

constexpr uint64_t kKinds = 48;

// A case whose operand and right result stay on the device.
struct Resident {
  Case c;
  uint64_t bytes = 0;
  cu::DevicePointer send = 0;
  cu::DevicePointer right = 0;
};

struct Random {
  uint64_t state;
  uint64_t next(uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  }
};

Case some_case(Random& random, uint32_t ranks) {
  constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER,
                                MUSTER_ALL_GATHER, MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};
  constexpr muster_dtype kTypes[] = {MUSTER_BF16, MUSTER_F16, MUSTER_F32};
  Case c{};
  c.op = kOps[random.next(6)];
  c.dtype = kTypes[random.next(3)];
  c.redop =
      c.op == MUSTER_ALL_REDUCE || c.op == MUSTER_REDUCE_SCATTER ? MUSTER_SUM : MUSTER_REDOP_NONE;
  // Mostly small ones, now and then one that goes in stages.
  const uint64_t most = uint64_t{1} << (4 + random.next(random.next(8) == 0 ? 19 : 13));
  c.count = 1 + random.next(most);
  c.root = static_cast<uint32_t>(random.next(ranks));
  c.scalar = 1.0f;
  c.seed = random.next(1000000);
  return c;
}

}  // namespace

void stress(Rank& rank, uint64_t operations) {
  Random random{12345};
  std::vector<Resident> residents;
  uint64_t largest = 0;
  for (uint64_t k = 0; k < kKinds; ++k) {
    Resident r;
    r.c = some_case(random, rank.size);
    const Bytes operand = operand_of(r.c, rank.rank, rank.size);
    const Bytes right = result_of(r.c, rank.rank, rank.size);
    r.bytes = right.size();
    largest = std::max<uint64_t>(largest, r.bytes);
    r.send = rank.allocate(operand.size());
    r.right = rank.allocate(right.size());
    MUSTER_MUST(test_driver().copy_in(r.send, operand.data(), operand.size(), rank.stream));
    MUSTER_MUST(test_driver().copy_in(r.right, right.data(), right.size(), rank.stream));
    rank.synchronize();
    residents.push_back(r);
  }
  const cu::DevicePointer recv = rank.allocate(largest);
  const cu::DevicePointer counter = rank.allocate(8);
  MUSTER_MUST(test_driver().fill(counter, 0, 8, rank.stream));
  rank.synchronize();
  rank.board.barrier();
  uint64_t compared = 0;
  for (uint64_t i = 0; i < operations; ++i) {
    const Resident& r = residents[random.next(kKinds)];
    const bool checked = random.next(2) == 0;
    // A kernel that has already written right results would hide one that has not.
    if (checked) MUSTER_MUST(test_driver().fill(recv, 0xff, r.bytes, rank.stream));
    muster_call call = rank.call(r.c.op, r.c.dtype, r.c.redop, r.c.count, r.send, recv);
    call.root = r.c.root;
    if (const std::string cause = rank.execute(call); !cause.empty()) {
      rank.board.fail("rank " + std::to_string(rank.rank) + " operation " + std::to_string(i) +
                      ": " + cause);
      break;
    }
    if (checked) {
      rank.kernels->compare(rank.stream, recv, r.right, r.bytes, counter);
      ++compared;
    }
    // Not too far ahead of the device.
    if (i % 256 == 255) rank.synchronize();
  }
  uint64_t wrong = 0;
  rank.synchronize();
  MUSTER_MUST(test_driver().copy_out(&wrong, counter, 8, rank.stream));
  rank.synchronize();
  const std::string cause = rank.async_error();
  if (wrong == 0 && cause.empty() && compared > 0) {
    rank.board.pass();
  } else {
    rank.board.fail("rank " + std::to_string(rank.rank) + ": " + std::to_string(wrong) +
                    " wrong bytes in " + std::to_string(compared) + " compared operations; " +
                    cause);
  }
  rank.board.barrier();
  for (const Resident& r : residents) {
    rank.release(r.send);
    rank.release(r.right);
  }
  rank.release(recv);
  rank.release(counter);
}

}  // namespace muster::peer_test
