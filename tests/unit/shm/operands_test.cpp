// Operands in memory that all ranks have mapped on some ranks, staged on others: any mix of them.
#include <gtest/gtest.h>

#include <cstring>

#include "core/query/host_memory.hpp"
#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

constexpr uint64_t kMapped = 8 << 20;

// Memory of one rank that the others have mapped.
class Mapped {
 public:
  explicit Mapped(Rank& rank) : rank_(rank), memory_(std::move(*HostMemory::allocate(kMapped))) {
    const Status status =
        rank.memory_register(memory_->data(), kMapped, MUSTER_HOST, &registration_);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  ~Mapped() { rank_.memory_deregister(registration_); }
  unsigned char* data() const { return reinterpret_cast<unsigned char*>(memory_->data()); }

 private:
  Rank& rank_;
  std::unique_ptr<HostMemory> memory_;
  void* registration_ = nullptr;
};

// Which of a call's operands a rank has in mapped memory: another mix for each call and rank.
struct Mix {
  Mix(size_t call, uint32_t rank)
      : send(((call >> rank) & 1) != 0), recv(((call / 3 >> rank) & 1) != 0) {}
  bool send;
  bool recv;
};

void run_mixed(Rank& rank, const std::vector<Exchange>& exchanges) {
  const Mapped sends(rank), recvs(rank);
  for (size_t i = 0; i < exchanges.size(); ++i) {
    const auto side = side_of(exchanges[i], rank.rank());
    if (!side->takes_part) continue;
    const Mix mix(i, rank.rank());
    muster_call call = side->call;
    const bool in_place = call.send == call.recv;
    ASSERT_LE(side->send.size(), kMapped);
    ASSERT_LE(side->recv.size(), kMapped);
    if (mix.send && !in_place && !side->send.empty()) {
      std::memcpy(sends.data(), side->send.data(), side->send.size());
      call.send = sends.data();
    }
    const bool maps_recv = mix.recv && !in_place && call.recv == side->recv.data();
    if (maps_recv && !side->recv.empty()) {
      std::memcpy(recvs.data(), side->recv.data(), side->recv.size());
      call.recv = recvs.data();
    }
    const Status status = rank.execute(call);
    ASSERT_TRUE(status.ok()) << status.message() << " in " << i << ": " << exchanges[i].text();
    if (call.recv == recvs.data()) {
      std::memcpy(side->recv.data(), recvs.data(), side->recv.size());
    }
    ASSERT_TRUE(side->recv == side->expected)
        << i << ", rank " << rank.rank() << ": " << exchanges[i].text();
  }
}

// Ranks; and from how many nanoseconds on a line is far: 0 never, 1 always.
class MixedOperands : public testing::TestWithParam<std::tuple<uint32_t, const char*>> {};

TEST_P(MixedOperands, GivenOperandsThatSomeRanksHaveMappedThenRandomOperationsAreExact) {
  const auto [ranks, far_ns] = GetParam();
  World world(ranks, {{"chunk_bytes", "16384"},
                      {"box_bytes", "4096"},
                      {"one_shot_bytes", "1024"},
                      {"direct_bytes", "256"},
                      {"far_bytes", "128"},
                      {"far_ns", far_ns}});
  // Ranks of different processes, so that not all memory is mapped as it is.
  for (uint32_t r = 0; r < ranks; ++r) world.places[r].process = r;
  std::mt19937_64 random(1234 + ranks);
  std::vector<Exchange> exchanges;
  for (int i = 0; i < 300; ++i) exchanges.push_back(random_exchange(random, ranks, 60000));
  run_ranks(world, [&](Rank& rank) { run_mixed(rank, exchanges); });
}

INSTANTIATE_TEST_SUITE_P(RanksAndDistance, MixedOperands,
                         testing::Combine(testing::Values(2u, 3u), testing::Values("0", "1")));

}  // namespace
}  // namespace muster::shm_test
