// The launcher's server and the ranks' connection, as threads of one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>

#include "core/bootstrap/local_connection.hpp"
#include "core/bootstrap/local_server.hpp"
#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::as_threads;
using ::muster::testing::far_deadline;
using ::muster::testing::near_deadline;
using ::testing::HasSubstr;

class Local : public ::testing::Test {
 protected:
  static constexpr uint32_t kSize = 4;

  void SetUp() override {
    fds_before_ = testing::open_fds();
    server_ = std::move(*LocalServer::create(kSize));
    for (uint32_t rank = 0; rank < kSize; ++rank) {
      ranks_.push_back(
          std::make_unique<LocalConnection>(std::move(*server_->connect_rank(rank)), rank));
    }
    serving_ = std::thread([this] {
      while (!over_) {
        pollfd ready{.fd = server_->epoll_fd(), .events = POLLIN, .revents = 0};
        poll(&ready, 1, 5);
        server_->serve();
      }
    });
  }
  void TearDown() override {
    over_ = true;
    serving_.join();
    ranks_.clear();
    server_.reset();
    EXPECT_EQ(testing::open_fds(), fds_before_);
  }

  LocalConnection& rank(uint32_t number) { return *ranks_[number]; }
  uint32_t join(uint32_t number) {
    auto joined = rank(number).open(far_deadline());
    EXPECT_TRUE(joined.ok()) << joined.status().message();
    EXPECT_EQ(joined->size, kSize);
    return joined->generation;
  }

  size_t fds_before_ = 0;
  std::unique_ptr<LocalServer> server_;
  std::vector<std::unique_ptr<LocalConnection>> ranks_;
  std::atomic<bool> over_ = false;
  std::thread serving_;
};

TEST_F(Local, GivenBigValuesWhenAllAskAllThenEveryByteArrives) {
  constexpr size_t kBytes = 1 << 20;
  as_threads(kSize, [&](uint32_t self) {
    uint32_t generation = join(self);
    ASSERT_TRUE(rank(self).put(generation, "big", std::string(kBytes + self, 'a' + self)).ok());
    for (uint32_t peer = 0; peer < kSize; ++peer) {
      auto value = rank(self).get(generation, peer, "big", far_deadline());
      ASSERT_TRUE(value.ok()) << value.status().message();
      EXPECT_TRUE(value.value() == std::string(kBytes + peer, 'a' + peer));
    }
  });
}

TEST_F(Local, GivenManyThreadsOnOneConnectionWhenTheyAskInAnyOrderThenEachGetsItsOwnAnswer) {
  uint32_t asked = join(0);
  uint32_t given = join(1);
  // Threads 0 to 7 wait for what threads 8 to 15 put, the last first.
  as_threads(16, [&](uint32_t thread) {
    if (thread < 8) {
      auto value = rank(0).get(asked, 1, "key" + std::to_string(thread), far_deadline());
      ASSERT_TRUE(value.ok()) << value.status().message();
      EXPECT_EQ(value.value(), "value" + std::to_string(thread));
    } else {
      std::string number = std::to_string(15 - thread);
      EXPECT_TRUE(rank(1).put(given, "key" + number, "value" + number).ok());
    }
  });
}

TEST_F(Local, GivenSeveralGenerationsWhenTheSameKeyIsPutThenEachHasItsOwnValue) {
  for (uint32_t turn = 1; turn <= 3; ++turn) {
    uint32_t writer = join(0);
    uint32_t reader = join(1);
    EXPECT_EQ(writer, turn);
    EXPECT_EQ(reader, turn);
    ASSERT_TRUE(rank(0).put(writer, "key", "turn " + std::to_string(turn)).ok());
    auto value = rank(1).get(reader, 0, "key", far_deadline());
    ASSERT_TRUE(value.ok()) << value.status().message();
    EXPECT_EQ(value.value(), "turn " + std::to_string(turn));
    EXPECT_TRUE(rank(0).leave(writer, far_deadline()).ok());
    EXPECT_TRUE(rank(1).leave(reader, far_deadline()).ok());
  }
}

TEST_F(Local, GivenNobodyPutsWhenTheDeadlinePassesThenItNamesTheRankAndTheConnectionServesOn) {
  uint32_t generation = join(0);
  auto late = rank(0).get(generation, 3, "key", near_deadline());
  EXPECT_EQ(late.status().code(), uint32_t{MUSTER_DEADLINE_EXCEEDED});
  EXPECT_THAT(late.status().cause(), HasSubstr("rank 3 has not given 'key'"));
  ASSERT_TRUE(rank(3).put(join(3), "key", "late").ok());
  EXPECT_EQ(rank(0).get(generation, 3, "key", far_deadline()).value(), "late");
}

TEST_F(Local, GivenAPendingGetWhenTheRankLeavesThenPeerLostNamesIt) {
  uint32_t generation = join(0);
  uint32_t leaver = join(2);
  as_threads(2, [&](uint32_t thread) {
    if (thread == 1) {
      EXPECT_TRUE(rank(2).leave(leaver, far_deadline()).ok());
      return;
    }
    auto lost = rank(0).get(generation, 2, "key", far_deadline());
    EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
    EXPECT_THAT(lost.status().cause(), HasSubstr("rank 2 has left the world"));
  });
}

TEST_F(Local, GivenAPendingGetWhenTheConnectionClosesThenPeerLostNamesTheRank) {
  uint32_t generation = join(0);
  join(2);
  as_threads(2, [&](uint32_t thread) {
    if (thread == 1) {
      ranks_[2].reset();
      return;
    }
    auto lost = rank(0).get(generation, 2, "key", far_deadline());
    EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
    EXPECT_THAT(lost.status().cause(), HasSubstr("rank 2 is gone"));
  });
  auto later = rank(0).get(generation, 2, "other", far_deadline());
  EXPECT_EQ(later.status().code(), uint32_t{MUSTER_PEER_LOST});
}

TEST_F(Local, GivenTheLauncherIsGoneWhenAskingThenTheStatusSaysSo) {
  uint32_t generation = join(0);
  over_ = true;
  serving_.join();
  server_.reset();
  auto lost = rank(0).get(generation, 1, "key", far_deadline());
  EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(lost.status().cause(), HasSubstr("connection to muster run is lost"));
  EXPECT_EQ(rank(0).put(generation, "key", "x").code(), uint32_t{MUSTER_PEER_LOST});
  serving_ = std::thread([] {});
}

TEST_F(Local, GivenValuesForSoManyReadersWhenAllHaveReadThenOnlyTheOthersAreHeld) {
  const uint32_t generation = join(0);
  for (uint32_t reader : {1, 2}) ASSERT_EQ(join(reader), generation);
  ASSERT_TRUE(rank(0).put(generation, "for anybody", "x").ok());
  ASSERT_TRUE(rank(0).put(generation, "for #x", "x").ok());
  for (int turn = 0; turn < 50; ++turn) {
    const std::string key = "turn " + std::to_string(turn) + "#2";
    ASSERT_TRUE(rank(0).put(generation, key, key).ok());
    for (uint32_t reader : {1, 2}) {
      EXPECT_EQ(rank(reader).get(generation, 0, key, far_deadline()).value(), key);
      EXPECT_EQ(rank(reader).get(generation, 0, "for anybody", far_deadline()).value(), "x");
    }
  }
  over_ = true;
  serving_.join();
  EXPECT_EQ(server_->held(), 2u);
  serving_ = std::thread([] {});
}

TEST_F(Local, GivenWrongRequestsWhenAskedThenEachIsRefused) {
  uint32_t generation = join(0);
  EXPECT_EQ(rank(0).get(generation, kSize, "key", far_deadline()).status().code(),
            uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(rank(0).get(generation + 1, 0, "key", far_deadline()).status().code(),
            uint32_t{MUSTER_FAILED_PRECONDITION});
  EXPECT_TRUE(rank(0).put(generation, "key", "").ok());
  EXPECT_EQ(rank(0).put(generation, "key", "").code(), uint32_t{MUSTER_INVALID_ARGUMENT});
  EXPECT_EQ(rank(0).put(generation, std::string(5000, 'k'), "").code(),
            uint32_t{MUSTER_OUT_OF_RANGE});
}

TEST(LocalStream, GivenAServerWhenSomebodySpeaksNonsenseThenOnlyThatRankIsGone) {
  auto server = std::move(*LocalServer::create(2));
  UniqueFd stranger = std::move(*server->connect_rank(0));
  LocalConnection rank(std::move(*server->connect_rank(1)), 1);
  std::string nonsense(100, '?');
  ASSERT_EQ(send(stranger.get(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL), 100);
  server->serve();
  char byte;
  EXPECT_EQ(recv(stranger.get(), &byte, 1, 0), 0);
  std::atomic<bool> over = false;
  std::thread serving([&] {
    while (!over) server->serve();
  });
  auto joined = rank.open(far_deadline());
  auto lost = rank.get(joined->generation, 0, "key", far_deadline());
  EXPECT_EQ(lost.status().code(), uint32_t{MUSTER_PEER_LOST});
  EXPECT_THAT(lost.status().cause(), HasSubstr("speaks something else"));
  over = true;
  serving.join();
}

TEST(LocalStream, GivenBytesInAnyPiecesWhenReadThenTheFramesAreWhole) {
  LocalFrame first{.verb = LocalVerb::kPut, .id = 7, .key = "key", .value = "value"};
  LocalFrame second{.verb = LocalVerb::kGet, .id = 8, .rank = 3, .key = "other"};
  std::string bytes = first.encode() + second.encode();
  for (size_t piece : {1, 3, 40, 41, 1000}) {
    LocalFrameReader reader;
    std::vector<LocalFrame> frames;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      std::string part = bytes.substr(at, piece);
      reader.append(part.data(), part.size());
      for (auto next = reader.next(); next->has_value(); next = reader.next()) {
        frames.push_back(std::move(**next));
      }
    }
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].id, 7u);
    EXPECT_EQ(frames[0].key, "key");
    EXPECT_EQ(frames[0].value, "value");
    EXPECT_EQ(frames[1].rank, 3u);
    EXPECT_EQ(frames[1].key, "other");
  }
}

}  // namespace
}  // namespace muster
