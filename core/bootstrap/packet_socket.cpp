#include "core/bootstrap/packet_socket.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace muster {
namespace {

Status system_failure(const char* what) {
  return Status(MUSTER_RESOURCE_EXHAUSTED,
                fmt::format("node channel: {}: {}", what, std::strerror(errno)),
                "raise the limit of open files (ulimit -n)");
}

socklen_t fill_abstract(const std::string& name, sockaddr_un* out) {
  *out = {};
  out->sun_family = AF_UNIX;
  size_t length = std::min(name.size(), sizeof(out->sun_path) - 1);
  std::memcpy(out->sun_path + 1, name.data(), length);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
}

UniqueFd packet_socket() {
  return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

Result<std::string> random_hex(uint32_t bytes) {
  std::vector<uint8_t> raw(bytes);
  if (getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) {
    return system_failure("getrandom");
  }
  std::string hex;
  for (uint8_t byte : raw) hex += fmt::format("{:02x}", byte);
  return hex;
}

Result<UniqueFd> listen_at(const std::string& name) {
  UniqueFd listener = packet_socket();
  if (!listener.valid()) return system_failure("socket");
  sockaddr_un address;
  socklen_t length = fill_abstract(name, &address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    return system_failure("bind");
  }
  if (listen(listener.get(), SOMAXCONN) != 0) return system_failure("listen");
  return listener;
}

Result<UniqueFd> connect_to(const std::string& name) {
  UniqueFd connection = packet_socket();
  if (!connection.valid()) return system_failure("socket");
  sockaddr_un address;
  socklen_t length = fill_abstract(name, &address);
  while (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return UniqueFd();
    if (errno == ECONNREFUSED || errno == ECONNRESET) {
      return Status(MUSTER_PEER_LOST, "nobody listens at its address any more");
    }
    return system_failure("connect");
  }
  if (!peer_is_trusted(connection.get())) {
    return Status(MUSTER_PERMISSION_DENIED, "another user listens at its address",
                  "start all ranks of a machine as one user");
  }
  return connection;
}

Result<UniqueFd> accept_from(int listener) {
  UniqueFd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection.valid() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
    return system_failure("accept");
  }
  if (connection.valid() && !peer_is_trusted(connection.get())) connection.reset();
  return connection;
}

bool peer_is_trusted(int socket) {
  ucred peer = {};
  socklen_t length = sizeof(peer);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

PacketEnd send_packet(int socket, const void* data, size_t bytes, std::span<const int> fds) {
  iovec body{.iov_base = const_cast<void*>(data), .iov_len = bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFdsPerPacket * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  while (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    // Too many descriptors in flight, or no buffer: passes as the others receive.
    bool busy = errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
    return busy ? PacketEnd::kTryAgain : PacketEnd::kClosed;
  }
  return PacketEnd::kDone;
}

PacketEnd receive_packet(int socket, void* data, size_t bytes, Packet* out) {
  iovec body{.iov_base = data, .iov_len = bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFdsPerPacket * sizeof(int))];
  msghdr message = {};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    // A peer that closed with packets unread resets once, in front of what it had still sent.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) return errno == EAGAIN ? PacketEnd::kTryAgain : PacketEnd::kClosed;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      out->fds.emplace_back(fd);
    }
  }
  out->bytes = static_cast<size_t>(got);
  out->truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return got == 0 ? PacketEnd::kClosed : PacketEnd::kDone;
}

bool has_hung_up(int socket) {
  pollfd state{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace muster
