// The local bootstrap as its programs see it: forked children with MUSTER_LOCAL_... set.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>

#include "core/bootstrap/local_server.hpp"
#include "core/bootstrap/world.hpp"
#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::end_of;
using ::muster::testing::far_deadline;
using ::muster::testing::forked;
using ::testing::HasSubstr;

Result<std::unique_ptr<World>> join() {
  return World::open(local_bootstrap(), nullptr, "local", far_deadline());
}

void set_place(int fd, uint32_t rank, uint32_t size) {
  setenv("MUSTER_LOCAL_FD", std::to_string(fd).c_str(), 1);
  setenv("MUSTER_LOCAL_RANK", std::to_string(rank).c_str(), 1);
  setenv("MUSTER_LOCAL_SIZE", std::to_string(size).c_str(), 1);
}

// Runs body as `size` processes and serves them; their ends. As the launcher does, but it tells of
// lost ranks by their connections alone.
std::vector<int> as_processes(uint32_t size, const std::function<int(uint32_t)>& body) {
  auto server = std::move(*LocalServer::create(size));
  std::vector<pid_t> children;
  for (uint32_t rank = 0; rank < size; ++rank) {
    UniqueFd socket = std::move(*server->connect_rank(rank));
    children.push_back(forked([&] {
      server.reset();
      set_place(socket.get(), rank, size);
      return body(rank);
    }));
  }
  std::vector<int> ends(size, -1);
  for (size_t left = size; left > 0;) {
    pollfd ready{.fd = server->epoll_fd(), .events = POLLIN, .revents = 0};
    poll(&ready, 1, 5);
    server->serve();
    for (uint32_t rank = 0; rank < size; ++rank) {
      int status = 0;
      if (ends[rank] != -1 || waitpid(children[rank], &status, WNOHANG) <= 0) continue;
      ends[rank] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      --left;
    }
  }
  return ends;
}

std::vector<uint32_t> everyone(const World& world) {
  std::vector<uint32_t> ranks(world.size());
  std::iota(ranks.begin(), ranks.end(), 0u);
  return ranks;
}

TEST(LocalProcesses, GivenFourProcessesWhenTheyJoinInSequenceThenEachWorldServes) {
  size_t before = testing::open_fds();
  auto ends = as_processes(4, [](uint32_t rank) {
    for (uint32_t turn = 0; turn < 3; ++turn) {
      if (local_bootstrap()->available(nullptr) != 1) return 10;
      auto world = join();
      if (!world.ok() || (*world)->rank() != rank || (*world)->size() != 4) return 11;
      auto parts = (*world)->all_gather(everyone(**world), 1,
                                        std::string(turn + rank * 100'000, 'x'), far_deadline());
      if (!parts.ok()) return 12;
      for (uint32_t peer = 0; peer < 4; ++peer) {
        if ((*parts)[peer].size() != turn + peer * 100'000) return 13;
      }
    }
    return 0;
  });
  EXPECT_EQ(ends, (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(testing::open_fds(), before);
}

TEST(LocalProcesses, GivenAKilledProcessWhenOthersWaitForItThenPeerLostNamesIt) {
  auto ends = as_processes(3, [](uint32_t rank) {
    auto world = join();
    if (!world.ok() || !(*world)->barrier(everyone(**world), 1, far_deadline()).ok()) return 10;
    if (rank == 1) raise(SIGKILL);
    Status status = (*world)->barrier(everyone(**world), 1, far_deadline());
    if (status.code() != MUSTER_PEER_LOST) return 11;
    // Rank 2 may hear of rank 0, which has left after it learned of rank 1.
    if (rank == 0 && status.cause().find("rank 1 is gone") == std::string::npos) return 12;
    return 0;
  });
  EXPECT_EQ(ends, (std::vector<int>{0, 128 + SIGKILL, 0}));
}

TEST(LocalProcesses, GivenAProcessThatJoinedWhenItStartsAnotherThenTheSocketIsNotInherited) {
  auto ends = as_processes(1, [](uint32_t) {
    int fd = std::atoi(std::getenv("MUSTER_LOCAL_FD"));
    fcntl(fd, F_SETFD, 0);
    auto world = join();
    if (!world.ok()) return 10;
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? 0 : 11;
  });
  EXPECT_EQ(ends, (std::vector<int>{0}));
}

TEST(LocalProcesses, GivenAForkOfAJoinedProcessWhenItUsesTheWorldThenItIsRefused) {
  auto ends = as_processes(1, [](uint32_t) {
    auto world = join();
    if (!world.ok()) return 10;
    return end_of(forked([&] {
      Result<std::string> bytes = std::string();
      if (join().status().code() != MUSTER_FAILED_PRECONDITION) return 11;
      // Its copy of the parent's world is refused as well.
      muster_world* none = nullptr;
      Status status(local_bootstrap()->open(nullptr, far_deadline(), &none));
      return status.cause().find("has forked this process") != std::string::npos ? 0 : 12;
    }));
  });
  EXPECT_EQ(ends, (std::vector<int>{0}));
}

// The cause of the refusal of a descriptor, in a process of its own because the environment is
// changed.
void expect_refused(int fd, const char* why) {
  EXPECT_EQ(end_of(forked([&] {
              set_place(fd, 0, 1);
              if (local_bootstrap()->available(nullptr) != 0) return 10;
              auto world = join();
              if (world.ok() || world.status().code() != MUSTER_FAILED_PRECONDITION) return 11;
              return world.status().cause().find(why) != std::string::npos ? 0 : 12;
            })),
            0);
}

TEST(LocalProcesses, GivenADescriptorThatIsNotTheSocketWhenJoiningThenTheStatusSaysSo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  expect_refused(ends[0], "which is not the socket of muster run");
  close(ends[0]);
  close(ends[1]);
  expect_refused(ends[0], "which is not the socket of muster run");
}

TEST(LocalProcesses, GivenIncompleteVariablesWhenAskedThenItIsNotAvailable) {
  EXPECT_EQ(end_of(forked([] {
              unsetenv("MUSTER_LOCAL_FD");
              if (local_bootstrap()->available(nullptr) != 0) return 10;
              int ends[2];
              if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 11;
              set_place(ends[0], 2, 2);
              if (local_bootstrap()->available(nullptr) != 0) return 12;
              setenv("MUSTER_LOCAL_RANK", "1x", 1);
              if (local_bootstrap()->available(nullptr) != 0) return 13;
              setenv("MUSTER_LOCAL_RANK", "1", 1);
              return local_bootstrap()->available(nullptr) == 1 ? 0 : 14;
            })),
            0);
}

}  // namespace
}  // namespace muster
