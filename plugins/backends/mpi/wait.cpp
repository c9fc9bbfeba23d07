#include "plugins/backends/mpi/wait.hpp"

#include <sched.h>

#include "plugins/backends/mpi/process.hpp"

namespace muster::mpi {
namespace {

using plugin::fail;

// Tests before the core is offered to somebody else: about as long as a small message takes.
constexpr int kSpins = 200;
// Looks at the clock every so many tests.
constexpr int kClockEvery = 64;
constexpr uint64_t kPeerCheckNs = 100'000'000;

}  // namespace

bool Wait::test(MPI_Request* requests, size_t count, MPI_Status* statuses, const char* what) const {
  int done = 0;
  Serial serial;
  if (count == 1) {
    MPI_Status* status = statuses == nullptr ? MPI_STATUS_IGNORE : statuses;
    check(library.Test(requests, &done, status), what);
    return done != 0;
  }
  const int code = library.Testall(static_cast<int>(count), requests, &done, statuses);
  if (code == MPI_ERR_IN_STATUS) {
    for (size_t i = 0; i < count; ++i) {
      if (statuses[i].MPI_ERROR != MPI_ERR_PENDING) check(statuses[i].MPI_ERROR, what);
    }
  }
  check(code, what);
  return done != 0;
}

void Wait::look_at_peers(const MPI_Request* requests, const uint32_t* peers, size_t count,
                         const char* what) const {
  for (size_t i = 0; i < count; ++i) {
    if (requests[i] == MPI_REQUEST_NULL) continue;
    const bool every = peers[i] == kEveryRank;
    const uint32_t from = every ? 0 : peers[i];
    const uint32_t to = every ? group_.size() : peers[i] + 1;
    for (uint32_t peer = from; peer < to; ++peer) {
      if (peer != group_.rank() && !group_.peer_alive(peer)) {
        fail(MUSTER_PEER_LOST,
             std::string(what) + ": rank " + std::to_string(peer) + " of group " +
                 group_.info().name + " is gone",
             "look at what ended that rank");
      }
    }
  }
}

std::string Wait::missing(MPI_Request* requests, const uint32_t* peers, size_t count) const {
  std::string names;
  for (size_t i = 0; i < count; ++i) {
    if (requests[i] == MPI_REQUEST_NULL) continue;
    int done = 0;
    MPI_Status status;
    Serial serial;
    if (peers[i] != kEveryRank && count > 1 &&
        library.Request_get_status(requests[i], &done, &status) == MPI_SUCCESS && done != 0) {
      continue;
    }
    const std::string name =
        peers[i] == kEveryRank ? "every other rank" : "rank " + std::to_string(peers[i]);
    if (names.find(name) == std::string::npos) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

void Wait::operator()(MPI_Request* requests, const uint32_t* peers, size_t count,
                      MPI_Status* statuses, const char* what) const {
  if (count == 0) return;
  for (int i = 0; i < kSpins; ++i) {
    if (test(requests, count, statuses, what)) return;
  }
  const plugin::Host host = group_.host();
  const uint64_t deadline = group_.deadline_ns();
  uint64_t next_look = host.now_ns() + kPeerCheckNs;
  for (int turn = 0;; ++turn) {
    if (test(requests, count, statuses, what)) return;
    if (aborted_.load(std::memory_order_relaxed)) {
      fail(MUSTER_ABORTED, std::string(what) + ": group " + group_.info().name + " was aborted");
    }
    if (turn % kClockEvery == 0) {
      const uint64_t now = host.now_ns();
      if (now >= deadline) {
        fail(MUSTER_DEADLINE_EXCEEDED,
             std::string(what) + " in group " + group_.info().name + " is still waiting for " +
                 missing(requests, peers, count),
             "see what that rank does instead, or raise the timeout");
      }
      if (now >= next_look) {
        look_at_peers(requests, peers, count, what);
        next_look = now + kPeerCheckNs;
      }
    }
    sched_yield();
  }
}

bool poll_until(uint64_t (*now_ns)(), uint64_t deadline_ns, const std::function<bool()>& done) {
  while (!done()) {
    if (now_ns() >= deadline_ns) return done();
    sched_yield();
  }
  return true;
}

}  // namespace muster::mpi
