#include "core/bootstrap/node_channel.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <barrier>
#include <memory>
#include <numeric>

#include "core/bootstrap/packet_socket.hpp"
#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::as_threads;
using ::muster::testing::end_of;
using ::muster::testing::far_deadline;
using ::muster::testing::forked;
using ::muster::testing::near_deadline;
using ::testing::HasSubstr;

using Channels = std::vector<std::unique_ptr<NodeChannel>>;

Channels channels(uint32_t size) {
  Channels all;
  std::vector<std::string> addresses;
  for (uint32_t rank = 0; rank < size; ++rank) {
    all.push_back(std::move(*NodeChannel::listen(rank)));
    addresses.push_back(all.back()->address());
    EXPECT_LE(addresses.back().size(), 100u);
  }
  for (auto& channel : all) channel->set_addresses(addresses);
  return all;
}

std::vector<uint32_t> first(uint32_t count) {
  std::vector<uint32_t> ranks(count);
  std::iota(ranks.begin(), ranks.end(), 0u);
  return ranks;
}

// A file in memory that holds a number.
UniqueFd file_of(uint64_t number) {
  UniqueFd fd(memfd_create("muster-test", MFD_CLOEXEC));
  EXPECT_EQ(pwrite(fd.get(), &number, sizeof(number), 0), ssize_t{sizeof(number)});
  return fd;
}

uint64_t number_in(int fd) {
  uint64_t number = UINT64_MAX;
  EXPECT_EQ(pread(fd, &number, sizeof(number), 0), ssize_t{sizeof(number)});
  return number;
}

uint64_t code_of(uint64_t tag, uint64_t rank, uint64_t index) {
  return tag * 1'000'000 + rank * 100 + index;
}

// Exchanges `count` files and says whether every one is the right one.
::testing::AssertionResult exchange(NodeChannel& channel, uint32_t self,
                                    const std::vector<uint32_t>& ranks, uint64_t tag,
                                    uint32_t count) {
  std::vector<UniqueFd> files;
  std::vector<int> fds;
  for (uint32_t i = 0; i < count; ++i) {
    files.push_back(file_of(code_of(tag, self, i)));
    fds.push_back(files.back().get());
  }
  auto received = channel.exchange_fds(ranks, tag, fds, far_deadline());
  if (!received.ok()) return ::testing::AssertionFailure() << received.status().message();
  std::vector<UniqueFd> owned;
  for (int fd : *received) owned.emplace_back(fd);
  if (owned.size() != ranks.size() * count) {
    return ::testing::AssertionFailure() << owned.size() << " descriptors";
  }
  for (size_t i = 0; i < owned.size(); ++i) {
    uint64_t expected = code_of(tag, ranks[i / count], i % count);
    if (number_in(owned[i].get()) != expected) {
      return ::testing::AssertionFailure() << "descriptor " << i << " is another file";
    }
    if ((fcntl(owned[i].get(), F_GETFD) & FD_CLOEXEC) == 0) {
      return ::testing::AssertionFailure() << "descriptor " << i << " would be inherited";
    }
  }
  return ::testing::AssertionSuccess();
}

class NodeChannelOf : public ::testing::Test {
 protected:
  void SetUp() override { fds_before_ = testing::open_fds(); }
  void TearDown() override { EXPECT_EQ(testing::open_fds(), fds_before_); }

  size_t fds_before_ = 0;
};

TEST_F(NodeChannelOf, GivenSixteenThreadsWhenTheyExchangeAtOnceThenEachHasAllInListOrder) {
  Channels all = channels(16);
  std::vector<uint32_t> ranks = first(16);
  std::rotate(ranks.begin(), ranks.begin() + 5, ranks.end());
  as_threads(16, [&](uint32_t rank) {
    for (uint32_t count : {1u, 0u, 8u, 2u}) {
      EXPECT_TRUE(exchange(*all[rank], rank, ranks, 7, count));
    }
  });
}

TEST_F(NodeChannelOf, GivenTwoGroupsPerRankWhenCreatedInOppositeOrdersThenNeitherWaits) {
  constexpr uint32_t kSize = 4;
  constexpr uint64_t kTurns = 20;
  Channels all = channels(kSize);
  // Two threads per rank; even ranks start with the one group, odd ranks with the other.
  as_threads(2 * kSize, [&](uint32_t thread) {
    uint32_t rank = thread / 2;
    uint64_t own = (thread + rank) % 2;
    for (uint64_t turn = 0; turn < kTurns; ++turn) {
      EXPECT_TRUE(exchange(*all[rank], rank, first(kSize), own + 2 * turn, 2));
    }
  });
}

TEST_F(NodeChannelOf, GivenGroupsThatOverlapWhenOneRankRunsAheadThenNothingIsMixed) {
  Channels all = channels(3);
  // Ranks 0 and 1 finish the exchanges of three tags while rank 2 has not begun its one.
  std::barrier<> done(3);
  as_threads(3, [&](uint32_t rank) {
    if (rank == 2) done.arrive_and_wait();
    if (rank < 2) {
      for (uint64_t tag = 1; tag <= 3; ++tag) {
        EXPECT_TRUE(exchange(*all[rank], rank, {1, 0}, tag, 3));
      }
      done.arrive_and_wait();
    }
    EXPECT_TRUE(exchange(*all[rank], rank, {2, 0, 1}, 1, 1));
  });
}

TEST_F(NodeChannelOf, GivenOneRankWhenItExchangesThenItsOwnComeBackDuplicated) {
  Channels all = channels(1);
  EXPECT_TRUE(all[0]->connect(first(1), far_deadline()).ok());
  EXPECT_TRUE(exchange(*all[0], 0, {0}, 1, 3));
  EXPECT_TRUE(all[0]->alive(0));
}

TEST_F(NodeChannelOf, GivenConnectedRanksWhenOneClosesThenItIsNotAliveForTheOthers) {
  Channels all = channels(3);
  EXPECT_TRUE(all[0]->alive(2));
  as_threads(3, [&](uint32_t rank) {
    Status status = all[rank]->connect(first(3), far_deadline());
    EXPECT_TRUE(status.ok()) << status.message();
  });
  for (uint32_t rank = 0; rank < 3; ++rank) EXPECT_TRUE(all[0]->alive(rank));
  all[2].reset();
  EXPECT_FALSE(all[0]->alive(2));
  EXPECT_FALSE(all[1]->alive(2));
  EXPECT_TRUE(all[0]->alive(1));
  std::vector<uint32_t> pair{0, 2};
  auto lost = all[0]->exchange_fds(pair, 1, {}, far_deadline());
  EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(lost.status().cause(), HasSubstr("world rank 2 has hung up"));
}

TEST_F(NodeChannelOf, GivenARankThatClosedBeforeItConnectedWhenWaitedForThenItIsLostEarly) {
  Channels all = channels(2);
  all[1].reset();
  Status accepting = all[0]->connect(first(2), far_deadline());
  EXPECT_EQ(accepting.code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(accepting.cause(), HasSubstr("world rank 1"));
  all = channels(2);
  all[0].reset();
  Status connecting = all[1]->connect(first(2), far_deadline());
  EXPECT_EQ(connecting.code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(connecting.cause(), HasSubstr("world rank 0"));
}

TEST_F(NodeChannelOf, GivenARankThatNeverComesWhenTheDeadlinePassesThenItIsNamed) {
  Channels all = channels(2);
  Status connecting = all[0]->connect(first(2), near_deadline());
  EXPECT_EQ(connecting.code(), uint32_t{MUSTER_DEADLINE_EXCEEDED});
  EXPECT_THAT(connecting.cause(), HasSubstr("waited for world rank 1 to connect"));
  UniqueFd file = file_of(1);
  std::vector<int> fds{file.get()};
  auto exchanging = all[1]->exchange_fds(first(2), 1, fds, near_deadline());
  EXPECT_EQ(exchanging.status().code(), uint32_t{MUSTER_DEADLINE_EXCEEDED});
  EXPECT_THAT(exchanging.status().cause(), HasSubstr("world rank 0 to exchange descriptors"));
}

TEST_F(NodeChannelOf, GivenAnExchangeThatFailedWhenTheNextComesThenStaleOnesAreNotMixedIn) {
  Channels all = channels(2);
  UniqueFd file = file_of(12345);
  std::vector<int> fds{file.get()};
  EXPECT_FALSE(all[1]->exchange_fds(first(2), 1, fds, near_deadline()).ok());
  EXPECT_FALSE(all[0]->exchange_fds(first(2), 2, {}, near_deadline()).ok());
  // Rank 0 makes its missed call too late as well; then both are in step again.
  auto late = all[0]->exchange_fds(first(2), 1, {}, far_deadline());
  EXPECT_EQ(late.status().code(), uint32_t{MUSTER_MISMATCH});
  as_threads(2, [&](uint32_t rank) { EXPECT_TRUE(exchange(*all[rank], rank, {0, 1}, 1, 1)); });
}

TEST_F(NodeChannelOf, GivenDifferentCountsWhenExchangedThenBothSayWhoGaveWhat) {
  Channels all = channels(2);
  as_threads(2, [&](uint32_t rank) {
    UniqueFd file = file_of(rank);
    std::vector<int> fds(1 + rank, file.get());
    auto received = all[rank]->exchange_fds(first(2), 1, fds, far_deadline());
    EXPECT_EQ(received.status().code(), uint32_t{MUSTER_MISMATCH});
    EXPECT_THAT(received.status().cause(),
                HasSubstr("world rank " + std::to_string(1 - rank) + " gave"));
  });
}

TEST_F(NodeChannelOf, GivenWrongArgumentsWhenCalledThenTheyAreRefused) {
  Channels all = channels(2);
  NodeChannel& channel = *all[0];
  auto code = [&](std::vector<uint32_t> ranks) {
    return channel.connect(ranks, far_deadline()).code();
  };
  EXPECT_EQ(code({1}), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(code({0, 2}), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(code({0, 1, 1}), uint32_t{MUSTER_INVALID_ARGUMENT});
  channel.set_addresses({channel.address(), ""});
  EXPECT_EQ(code({0, 1}), uint32_t{MUSTER_INVALID_ARGUMENT});
  std::vector<uint32_t> self{0};
  std::vector<int> closed{9999};
  EXPECT_EQ(channel.exchange_fds(self, 1, closed, far_deadline()).status().code(),
            uint32_t{MUSTER_INVALID_ARGUMENT});
  std::vector<int> many(9, 0);
  EXPECT_EQ(channel.exchange_fds(self, 1, many, far_deadline()).status().code(),
            uint32_t{MUSTER_INVALID_ARGUMENT});
}

TEST_F(NodeChannelOf, GivenStrangersWhenRanksMeetThenTheyAreIgnored) {
  Channels all = channels(3);
  std::string address = all[0]->address();
  std::string name = address.substr(0, address.find(':'));
  std::vector<UniqueFd> strangers;
  for (int i = 0; i < 200; ++i) strangers.push_back(std::move(*connect_to(name)));
  // Some say nothing; one speaks nonsense, one claims a rank with a wrong secret, one sends files.
  struct {
    uint32_t magic = 0x6d6e6301;
    uint32_t rank = 2;
    char secret[32] = {};
  } hello;
  UniqueFd file = file_of(1);
  std::vector<int> fds{file.get()};
  EXPECT_EQ(send_packet(strangers[1].get(), "nonsense", 8, {}), PacketEnd::kDone);
  EXPECT_EQ(send_packet(strangers[2].get(), &hello, sizeof(hello), {}), PacketEnd::kDone);
  EXPECT_EQ(send_packet(strangers[3].get(), &hello, sizeof(hello), fds), PacketEnd::kDone);
  as_threads(3, [&](uint32_t rank) { EXPECT_TRUE(exchange(*all[rank], rank, {0, 1, 2}, 1, 2)); });
  for (int i = 1; i < 4; ++i) EXPECT_TRUE(has_hung_up(strangers[i].get()));
}

TEST_F(NodeChannelOf, GivenProcessesWhenTheyExchangeThenTheFilesAreShared) {
  constexpr uint32_t kSize = 5;
  Channels all = channels(kSize);
  std::vector<pid_t> children;
  for (uint32_t rank = 0; rank < kSize; ++rank) {
    children.push_back(forked([&] {
      for (uint32_t other = 0; other < kSize; ++other) {
        if (other != rank) all[other].reset();
      }
      size_t before = testing::open_fds();
      bool good = exchange(*all[rank], rank, first(kSize), 1, 3) &&
                  exchange(*all[rank], rank, first(kSize), 2, 1);
      // What stays is one connection per peer that has not ended yet.
      return good && testing::open_fds() <= before + kSize - 1 ? 0 : 1;
    }));
  }
  all.clear();
  for (pid_t child : children) EXPECT_EQ(end_of(child), 0);
}

TEST_F(NodeChannelOf, GivenAKilledProcessWhenOthersLookThenItIsNotAlive) {
  Channels all = channels(3);
  pid_t killed = forked([&] {
    all[0].reset();
    all[2].reset();
    if (!all[1]->connect(first(3), far_deadline()).ok()) return 1;
    raise(SIGKILL);
    return 2;
  });
  all[1].reset();
  as_threads(2, [&](uint32_t thread) {
    uint32_t rank = thread * 2;
    Status status = all[rank]->connect(first(3), far_deadline());
    EXPECT_TRUE(status.ok()) << status.message();
    while (all[rank]->alive(1)) std::this_thread::yield();
    EXPECT_TRUE(all[rank]->alive(2 - rank));
  });
  EXPECT_EQ(end_of(killed), 128 + SIGKILL);
}

TEST_F(NodeChannelOf, GivenAProcessThatDiesInAnExchangeWhenOthersWaitThenPeerLostNamesIt) {
  Channels all = channels(2);
  pid_t killed = forked([&] {
    all[0].reset();
    if (!all[1]->connect(first(2), far_deadline()).ok()) return 1;
    raise(SIGKILL);
    return 2;
  });
  all[1].reset();
  UniqueFd file = file_of(1);
  std::vector<int> fds{file.get()};
  auto lost = all[0]->exchange_fds(first(2), 1, fds, far_deadline());
  EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(lost.status().cause(), HasSubstr("world rank 1"));
  EXPECT_EQ(end_of(killed), 128 + SIGKILL);
}

TEST_F(NodeChannelOf, GivenNoDescriptorsLeftWhenExchangingThenTheStatusSaysSoAndNoneLeaks) {
  Channels all = channels(2);
  int limit_set[2];
  ASSERT_EQ(pipe2(limit_set, O_CLOEXEC), 0);
  pid_t other = forked([&] {
    all[0].reset();
    if (!all[1]->connect(first(2), far_deadline()).ok()) return 1;
    char byte;
    close(limit_set[1]);
    if (read(limit_set[0], &byte, 1) != 1) return 2;
    UniqueFd file = file_of(1);
    std::vector<int> fds(8, file.get());
    auto received = all[1]->exchange_fds(first(2), 1, fds, far_deadline());
    for (int fd : received.ok() ? received.value() : std::vector<int>()) close(fd);
    // Stays until the other has ended, so that their connection does.
    return read(limit_set[0], &byte, 1) == 0 ? 0 : 3;
  });
  pid_t limited = forked([&] {
    all[1].reset();
    if (!all[0]->connect(first(2), far_deadline()).ok()) return 1;
    std::vector<int> fds(8, 0);
    size_t before = testing::open_fds();
    // Room for its own duplicates and for some of those that it receives.
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 0;
    for (int room = 0; room < 8 + 3; ++limit.rlim_cur) {
      if (fcntl(static_cast<int>(limit.rlim_cur), F_GETFD) < 0) ++room;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    if (write(limit_set[1], "x", 1) != 1) return 4;
    auto received = all[0]->exchange_fds(first(2), 1, fds, far_deadline());
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (received.status().code() != MUSTER_RESOURCE_EXHAUSTED) return 2;
    return testing::open_fds() == before ? 0 : 3;
  });
  all.clear();
  close(limit_set[0]);
  close(limit_set[1]);
  EXPECT_EQ(end_of(limited), 0);
  EXPECT_EQ(end_of(other), 0);
}

}  // namespace
}  // namespace muster
