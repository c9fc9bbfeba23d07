// Ranks that sleep while they wait are woken by whoever moves on, not by chance.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "core/base/names.hpp"
#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

struct Case {
  std::string name;
  muster_op op;
  uint64_t count;  // of f32
};

class Waking : public testing::TestWithParam<Case> {};

// To the root of a reduction or a gather the others are not late: they go on.
bool only_root_waits(muster_op op) { return op == MUSTER_REDUCE || op == MUSTER_GATHER; }

// One rank comes late to every call, the next one to the next call.
TEST_P(Waking, GivenThoseThatWaitSleepWhenALateRankComesThenTheyAreWoken) {
  constexpr uint64_t kPatienceNs = 10'000'000'000;
  World world(3, {{"direct_bytes", "1073741824"}}, kPatienceNs);
  world.only_signals_wake = true;
  run_ranks(world, [&](Rank& rank) {
    Exchange x;
    x.op = GetParam().op;
    x.redop = op_reduces(x.op) ? MUSTER_SUM : MUSTER_REDOP_NONE;
    x.size = rank.size();
    x.count = GetParam().count;
    for (x.seed = 1; x.seed <= 9; ++x.seed) {
      const auto late = static_cast<uint32_t>(x.seed % rank.size());
      x.root = only_root_waits(x.op) ? (late + 1) % rank.size() : late;
      const auto side = side_of(x, rank.rank());
      if (rank.rank() == late) {
        const uint32_t waiting = only_root_waits(x.op) ? 1 : rank.size() - 1;
        while (world.asleep < waiting) std::this_thread::yield();
      }
      const Status status = rank.execute(side->call);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_TRUE(side->recv == side->expected) << x.text();
    }
  });
}

std::vector<Case> cases() {
  std::vector<Case> made = {{"barrier", MUSTER_BARRIER, 0}};
  for (const muster_op op :
       {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_BROADCAST,
        MUSTER_ALL_GATHER, MUSTER_GATHER, MUSTER_SCATTER, MUSTER_ALL_TO_ALL}) {
    for (const uint64_t count : {1, 1000, 300000}) {  // in a card, in a slot, in several steps
      made.push_back({op_name(op) + std::to_string(count), op, count});
    }
  }
  return made;
}

INSTANTIATE_TEST_SUITE_P(Operations, Waking, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace muster::shm_test
