#include "core/bootstrap/node_channel.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

#include "core/bootstrap/deadline.hpp"
#include "core/bootstrap/node_links.hpp"

namespace muster {
namespace {

using Clock = std::chrono::steady_clock;

// A full queue of the other side says nothing when it empties.
constexpr int kRetryMs = 2;
constexpr int kSliceMs = 100;
// How often a rank that has to be waited for is looked up: soon first, so that a dead one ends the
// wait early, then rarely, because each look stays in its queue until it accepts.
constexpr std::chrono::milliseconds kFirstLook{200};
constexpr std::chrono::milliseconds kLongestLook{10'000};

struct Member {
  uint32_t rank;
  size_t index;           // in the list of the call
  uint64_t sequence = 0;  // of the exchange with it
  bool sent = false;
  bool done = false;
  Clock::time_point look_at = Clock::now() + kFirstLook;
  Clock::duration look_again = kFirstLook;
};

// One call of connect or exchange_fds.
struct Meeting {
  std::vector<Member> members;  // without the caller
  bool gives = false;
  uint64_t tag = 0;
  std::span<const int> fds;
  std::vector<UniqueFd> received;  // members' lists in the order of the call
  bool retry_soon = false;
};

Status about(uint32_t self, uint32_t peer, const Status& status) {
  return status.within(
      fmt::format("node channel: world rank {} connects to world rank {}", self, peer));
}

}  // namespace

struct NodeChannel::State {
  std::mutex mutex;
  std::condition_variable changed;
  NodeLinks links;
  bool polling = false;
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> sequence;  // of exchanges, per peer and tag
  std::vector<bool> has_address;

  Status add_members(std::span<const uint32_t> ranks, Meeting* meeting) const;
  Status meet(std::unique_lock<std::mutex>& lock, Meeting& meeting, uint64_t deadline_ns);
  Status advance(Member& member, Meeting& meeting);
  Status take_gift(Member& member, Meeting& meeting);
  Status progress(std::unique_lock<std::mutex>& lock, uint64_t deadline_ns, int slice_ms);
};

Status NodeChannel::State::add_members(std::span<const uint32_t> ranks, Meeting* meeting) const {
  bool caller_listed = false;
  std::vector<bool> seen(has_address.size());
  for (size_t i = 0; i < ranks.size(); ++i) {
    uint32_t rank = ranks[i];
    if (rank >= has_address.size() || !has_address[rank]) {
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("node channel: world rank {} has no address on this node", rank));
    }
    if (seen[rank]) {
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("node channel: world rank {} is listed twice", rank));
    }
    seen[rank] = true;
    caller_listed = caller_listed || rank == links.rank();
    if (rank != links.rank()) meeting->members.push_back({.rank = rank, .index = i});
  }
  if (!caller_listed) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("node channel: world rank {} is not among the ranks that it calls",
                              links.rank()));
  }
  return Status();
}

// The mutex is free whenever this waits, and whichever thread polls serves the exchanges of all:
// so no order of the exchanges on different ranks can make them wait for each other.
Status NodeChannel::State::meet(std::unique_lock<std::mutex>& lock, Meeting& meeting,
                                uint64_t deadline_ns) {
  while (true) {
    meeting.retry_soon = false;
    const Member* missing = nullptr;
    for (Member& member : meeting.members) {
      if (!member.done) MUSTER_TRY(advance(member, meeting));
      if (!member.done && missing == nullptr) missing = &member;
    }
    if (missing == nullptr) return Status();
    if (deadline_passed(deadline_ns)) {
      return Status(MUSTER_DEADLINE_EXCEEDED,
                    fmt::format("node channel: world rank {} waited for world rank {} to {}",
                                links.rank(), missing->rank,
                                links.link(missing->rank) == Link::kNone ? "connect"
                                                                         : "exchange descriptors"),
                    "see whether that rank is stuck before the same call");
    }
    MUSTER_TRY(progress(lock, deadline_ns, meeting.retry_soon ? kRetryMs : kSliceMs));
  }
}

Status NodeChannel::State::advance(Member& member, Meeting& meeting) {
  uint32_t peer = member.rank;
  if (links.link(peer) == Link::kNone) {
    bool connects = peer < links.rank();
    if (connects || Clock::now() >= member.look_at) {
      Status reached = links.reach(peer);
      if (!reached.ok()) return about(links.rank(), peer, reached);
      member.look_again = std::min<Clock::duration>(member.look_again * 2, kLongestLook);
      member.look_at = Clock::now() + member.look_again;
    }
    if (links.link(peer) == Link::kNone) {
      meeting.retry_soon = meeting.retry_soon || connects;
      return Status();
    }
  }
  if (!meeting.gives) {
    member.done = true;  // alive() tells what has become of it since
    return Status();
  }
  if (!member.sent && links.link(peer) == Link::kUp) {
    member.sent = links.send(peer, meeting.tag, member.sequence, meeting.fds);
    if (!member.sent) meeting.retry_soon = true;
  }
  return take_gift(member, meeting);
}

Status NodeChannel::State::take_gift(Member& member, Meeting& meeting) {
  uint32_t peer = member.rank;
  std::optional<GivenFds> given;
  if (member.sent) given = links.take(peer, meeting.tag, member.sequence);
  if (!given.has_value()) {
    if (links.link(peer) != Link::kLost) return Status();
    return Status(MUSTER_PEER_LOST,
                  fmt::format("node channel: world rank {} has hung up while world rank {} "
                              "exchanged descriptors with it",
                              peer, links.rank()));
  }
  if (given->count != meeting.fds.size()) {
    return Status(
        MUSTER_MISMATCH,
        fmt::format("node channel: world rank {} gave {} descriptors, world rank {} gives "
                    "{}",
                    peer, given->count, links.rank(), meeting.fds.size()));
  }
  if (given->fds.size() != given->count) {
    return Status(
        MUSTER_RESOURCE_EXHAUSTED,
        fmt::format("node channel: world rank {} could take only {} of the {} descriptors "
                    "of world rank {}",
                    links.rank(), given->fds.size(), given->count, peer),
        "raise the limit of open files (ulimit -n)");
  }
  for (size_t i = 0; i < given->fds.size(); ++i) {
    meeting.received[member.index * meeting.fds.size() + i] = std::move(given->fds[i]);
  }
  member.done = true;
  return Status();
}

Status NodeChannel::State::progress(std::unique_lock<std::mutex>& lock, uint64_t deadline_ns,
                                    int slice_ms) {
  if (polling) {
    auto slice = Clock::now() + std::chrono::milliseconds(slice_ms);
    changed.wait_until(lock, std::min(slice, deadline_point(deadline_ns)));
    return Status();
  }
  polling = true;
  lock.unlock();
  std::array<epoll_event, 64> events;
  int count = epoll_wait(links.epoll_fd(), events.data(), events.size(),
                         deadline_poll_ms(deadline_ns, slice_ms));
  lock.lock();
  polling = false;
  Status handled = links.handle(std::span(events).first(static_cast<size_t>(std::max(count, 0))));
  changed.notify_all();
  return handled;
}

NodeChannel::NodeChannel() : state_(std::make_unique<State>()) {}
NodeChannel::~NodeChannel() = default;

Result<std::unique_ptr<NodeChannel>> NodeChannel::listen(uint32_t world_rank) {
  std::unique_ptr<NodeChannel> channel(new NodeChannel());
  MUSTER_TRY(channel->state_->links.listen(world_rank));
  return channel;
}

std::string NodeChannel::address() const { return state_->links.address(); }

void NodeChannel::set_addresses(std::vector<std::string> addresses) {
  std::lock_guard lock(state_->mutex);
  state_->has_address.clear();
  for (const std::string& address : addresses) state_->has_address.push_back(!address.empty());
  state_->links.set_addresses(std::move(addresses));
}

Status NodeChannel::connect(std::span<const uint32_t> world_ranks, uint64_t deadline_ns) {
  Meeting meeting;
  std::unique_lock lock(state_->mutex);
  MUSTER_TRY(state_->add_members(world_ranks, &meeting));
  for (const Member& member : meeting.members) {
    if (state_->links.link(member.rank) == Link::kLost) {
      return Status(MUSTER_PEER_LOST,
                    fmt::format("node channel: world rank {} has hung up", member.rank));
    }
  }
  return state_->meet(lock, meeting, deadline_ns);
}

Result<std::vector<int>> NodeChannel::exchange_fds(std::span<const uint32_t> world_ranks,
                                                   uint64_t tag, std::span<const int> fds,
                                                   uint64_t deadline_ns) {
  if (fds.size() > kMostFdsPerPacket) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("node channel: {} descriptors in one exchange, at most {} fit",
                              fds.size(), kMostFdsPerPacket));
  }
  Meeting meeting;
  meeting.gives = true;
  meeting.tag = tag;
  meeting.fds = fds;
  meeting.received.resize(world_ranks.size() * fds.size());
  std::unique_lock lock(state_->mutex);
  MUSTER_TRY(state_->add_members(world_ranks, &meeting));
  for (Member& member : meeting.members) {
    member.sequence = ++state_->sequence[{member.rank, tag}];
  }
  auto own = std::find(world_ranks.begin(), world_ranks.end(), state_->links.rank());
  size_t first = static_cast<size_t>(own - world_ranks.begin()) * fds.size();
  for (size_t i = 0; i < fds.size(); ++i) {
    UniqueFd& copy = meeting.received[first + i];
    copy = UniqueFd(fcntl(fds[i], F_DUPFD_CLOEXEC, 0));
    if (copy.valid()) continue;
    return Status(errno == EBADF ? MUSTER_INVALID_ARGUMENT : MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("node channel: descriptor {}: {}", fds[i], std::strerror(errno)));
  }
  MUSTER_TRY(state_->meet(lock, meeting, deadline_ns));
  std::vector<int> result;
  result.reserve(meeting.received.size());
  for (UniqueFd& fd : meeting.received) result.push_back(fd.release());
  return result;
}

bool NodeChannel::alive(uint32_t world_rank) {
  std::lock_guard lock(state_->mutex);
  return state_->links.alive(world_rank);
}

}  // namespace muster
