// Ranks as processes: they connect as threads of the test and are then forked, so that only the
// segments join them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

const Options kSmallCrossing = {{"chunk_bytes", "4096"},
                                {"box_bytes", "192"},
                                {"one_shot_bytes", "1024"},
                                {"epoch_start", "4294967250"}};

std::vector<std::unique_ptr<Rank>> connected_ranks(World& world) {
  std::vector<std::unique_ptr<Rank>> ranks;
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < world.size; ++r) world.places[r].process = r;
  for (uint32_t r = 0; r < world.size; ++r) ranks.push_back(std::make_unique<Rank>(&world, r));
  for (auto& rank : ranks) {
    threads.emplace_back([&rank] {
      const Status prepared = rank->prepare();
      EXPECT_TRUE(prepared.ok()) << prepared.message();
      const Status connected = rank->connect();
      EXPECT_TRUE(connected.ok()) << connected.message();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ranks;
}

// A child process that ends with what the body returns.
template <typename Body>
pid_t forked(Body&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}

int exit_code(pid_t child) {
  int state = 0;
  waitpid(child, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

TEST(Processes, GivenRandomOperationsThenEveryProcessFindsItsResults) {
  constexpr uint32_t kSize = 3;
  World world(kSize, kSmallCrossing);
  std::mt19937_64 random(5);
  std::vector<Exchange> exchanges;
  for (int i = 0; i < 200; ++i) exchanges.push_back(random_exchange(random, kSize, 5000));
  const auto ranks = connected_ranks(world);
  std::vector<pid_t> children;
  for (const auto& rank : ranks) {
    children.push_back(forked([&] {
      for (const Exchange& exchange : exchanges) {
        const auto side = side_of(exchange, rank->rank());
        if (!side->takes_part) continue;
        if (!rank->execute(side->call).ok()) return 2;
        if (side->recv != side->expected) return 3;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
}

TEST(Processes, GivenOneIsKilledInTheMiddleThenTheOtherIsTold) {
  World world(2, kSmallCrossing);
  const auto ranks = connected_ranks(world);
  Exchange x;
  x.redop = MUSTER_SUM;
  x.count = 5000;
  const auto run = [&](uint32_t rank, int calls) {
    for (int i = 0; i < calls; ++i) {
      const auto side = side_of(x, rank);
      const Status status = ranks[rank]->execute(side->call);
      if (!status.ok()) return static_cast<int>(status.code());
    }
    return 0;
  };
  const pid_t survivor = forked([&] { return run(0, 1'000'000); });
  const pid_t victim = forked([&] {
    if (run(1, 20) != 0) return 1;
    raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(exit_code(victim), -SIGKILL);
  world.alive[1] = 0;
  EXPECT_EQ(exit_code(survivor), MUSTER_PEER_LOST);
}

}  // namespace
}  // namespace muster::shm_test
