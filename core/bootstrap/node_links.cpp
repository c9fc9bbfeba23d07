#include "core/bootstrap/node_links.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace muster {
namespace {

constexpr uint32_t kMagic = 0x6d6e6301;
constexpr uint32_t kSecretDigits = 32;
// Whoever has not said who it is by then, or is the oldest of too many, is hung up on.
constexpr std::chrono::seconds kStrangerBound{10};
constexpr size_t kMostStrangers = 128;

// What epoll says for the listener and for strangers; peers have their rank.
constexpr uint64_t kListenerKey = UINT64_MAX;
constexpr uint64_t kStrangerBit = uint64_t{1} << 32;

struct Hello {
  uint32_t magic;
  uint32_t rank;
  char secret[kSecretDigits];
};

struct Gift {
  uint32_t magic;
  uint32_t count;
  uint64_t tag;
  uint64_t sequence;
};

}  // namespace

NodeLinks::~NodeLinks() {
  // A forked child may hold copies; the others must see the end all the same.
  for (auto& [peer, fd] : peers_) {
    if (fd.valid()) shutdown(fd.get(), SHUT_RDWR);
  }
}

Status NodeLinks::listen(uint32_t rank) {
  rank_ = rank;
  auto name = random_hex(8);
  if (!name.ok()) return name.take_status();
  auto secret = random_hex(kSecretDigits / 2);
  if (!secret.ok()) return secret.take_status();
  name_ = "muster-" + *name;
  secret_ = std::move(*secret);
  auto listener = listen_at(name_);
  if (!listener.ok()) return listener.take_status();
  listener_ = std::move(*listener);
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) {
    return Status(MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("node channel: epoll_create1: {}", std::strerror(errno)),
                  "raise the limit of open files (ulimit -n)");
  }
  return watch(listener_.get(), EPOLL_CTL_ADD, kListenerKey);
}

Status NodeLinks::watch(int fd, int operation, uint64_t key) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  if (epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return Status();
  return Status(MUSTER_RESOURCE_EXHAUSTED,
                fmt::format("node channel: epoll_ctl: {}", std::strerror(errno)));
}

Link NodeLinks::link(uint32_t peer) const {
  auto found = peers_.find(peer);
  if (found == peers_.end()) return Link::kNone;
  return found->second.valid() ? Link::kUp : Link::kLost;
}

Status NodeLinks::reach(uint32_t peer) {
  const std::string& address = addresses_[peer];
  size_t colon = address.find(':');
  if (colon == std::string::npos || address.size() - colon - 1 != kSecretDigits) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("'{}' is not the address of a node channel", address),
                  "start every rank with the same version of muster");
  }
  auto connection = connect_to(address.substr(0, colon));
  if (!connection.ok()) return connection.take_status();
  if (!connection->valid() || rank_ < peer) return Status();
  Hello hello{kMagic, rank_, {}};
  std::memcpy(hello.secret, address.data() + colon + 1, kSecretDigits);
  if (send_packet(connection->get(), &hello, sizeof(hello), {}) != PacketEnd::kDone) {
    return Status();  // the next try tells whether it is gone
  }
  MUSTER_TRY(watch(connection->get(), EPOLL_CTL_ADD, peer));
  peers_[peer] = std::move(*connection);
  return Status();
}

bool NodeLinks::send(uint32_t peer, uint64_t tag, uint64_t sequence, std::span<const int> fds) {
  Gift gift{kMagic, static_cast<uint32_t>(fds.size()), tag, sequence};
  PacketEnd end = send_packet(peers_.at(peer).get(), &gift, sizeof(gift), fds);
  if (end == PacketEnd::kClosed) {
    receive_all(peer);  // what it gave before it went still counts
    lose(peer);
  }
  return end == PacketEnd::kDone;
}

std::optional<GivenFds> NodeLinks::take(uint32_t peer, uint64_t tag, uint64_t sequence) {
  auto found = given_.find({peer, tag});
  if (found == given_.end()) return std::nullopt;
  std::deque<GivenFds>& queue = found->second;
  while (!queue.empty() && queue.front().sequence < sequence) queue.pop_front();
  std::optional<GivenFds> taken;
  if (!queue.empty() && queue.front().sequence == sequence) {
    taken = std::move(queue.front());
    queue.pop_front();
  }
  if (queue.empty()) given_.erase(found);
  return taken;
}

bool NodeLinks::alive(uint32_t peer) const {
  auto found = peers_.find(peer);
  if (found == peers_.end()) return true;
  return found->second.valid() && !has_hung_up(found->second.get());
}

Status NodeLinks::handle(std::span<const epoll_event> events) {
  drop_strangers();
  for (const epoll_event& event : events) {
    uint64_t key = event.data.u64;
    if (key == kListenerKey) {
      MUSTER_TRY(accept_one());
    } else if ((key & kStrangerBit) != 0) {
      identify(static_cast<int>(key & ~kStrangerBit));
    } else {
      receive_all(static_cast<uint32_t>(key));
    }
  }
  return Status();
}

Status NodeLinks::accept_one() {
  auto accepted = accept_from(listener_.get());
  if (!accepted.ok()) return accepted.take_status();
  if (!accepted->valid()) return Status();
  int fd = accepted->get();
  MUSTER_TRY(watch(fd, EPOLL_CTL_ADD, kStrangerBit | static_cast<uint32_t>(fd)));
  strangers_.push_back({std::move(*accepted), std::chrono::steady_clock::now()});
  identify(fd);
  return Status();
}

void NodeLinks::identify(int fd) {
  auto stranger = std::find_if(strangers_.begin(), strangers_.end(),
                               [&](const Stranger& each) { return each.fd.get() == fd; });
  if (stranger == strangers_.end()) return;
  Hello hello;
  Packet packet;
  PacketEnd end = receive_packet(fd, &hello, sizeof(hello), &packet);
  if (end == PacketEnd::kTryAgain) return;
  UniqueFd connection = std::move(stranger->fd);
  strangers_.erase(stranger);
  bool welcome = end == PacketEnd::kDone && !packet.truncated && packet.bytes == sizeof(hello) &&
                 packet.fds.empty() && hello.magic == kMagic &&
                 std::memcmp(hello.secret, secret_.data(), kSecretDigits) == 0 &&
                 hello.rank > rank_ && hello.rank < addresses_.size() &&
                 link(hello.rank) == Link::kNone;
  if (!welcome || !watch(fd, EPOLL_CTL_MOD, hello.rank).ok()) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    return;
  }
  peers_[hello.rank] = std::move(connection);
  receive_all(hello.rank);
}

void NodeLinks::drop_strangers() {
  auto now = std::chrono::steady_clock::now();
  while (!strangers_.empty() &&
         (strangers_.size() > kMostStrangers || now - strangers_.front().since > kStrangerBound)) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, strangers_.front().fd.get(), nullptr);
    strangers_.pop_front();
  }
}

void NodeLinks::receive_all(uint32_t peer) {
  while (link(peer) == Link::kUp) {
    Gift gift;
    Packet packet;
    PacketEnd end = receive_packet(peers_.at(peer).get(), &gift, sizeof(gift), &packet);
    if (end == PacketEnd::kTryAgain) return;
    if (end == PacketEnd::kClosed || packet.bytes != sizeof(gift) || gift.magic != kMagic) {
      return lose(peer);
    }
    given_[{peer, gift.tag}].push_back({gift.sequence, gift.count, std::move(packet.fds)});
  }
}

void NodeLinks::lose(uint32_t peer) {
  UniqueFd& fd = peers_.at(peer);
  if (fd.valid()) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

}  // namespace muster
