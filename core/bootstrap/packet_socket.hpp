// Abstract Unix sockets of whole packets that carry file descriptors, and the check of who is at
// the other end: what the node channel is made of.
//
// Nothing here blocks. Every descriptor made or received is close-on-exec, and none leaks on a
// failure. Thread rule: any thread.
#ifndef MUSTER_CORE_BOOTSTRAP_PACKET_SOCKET_HPP
#define MUSTER_CORE_BOOTSTRAP_PACKET_SOCKET_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {

constexpr uint32_t kMostFdsPerPacket = 8;

// Lower-case hex of so many bytes of the system's randomness.
Result<std::string> random_hex(uint32_t bytes);

// name: without the leading zero byte.
Result<UniqueFd> listen_at(const std::string& name);
// An invalid descriptor when the other's queue is full for the moment; PEER_LOST when nobody
// listens any more.
Result<UniqueFd> connect_to(const std::string& name);
// An invalid descriptor when nobody is there, or who is there is not trusted.
Result<UniqueFd> accept_from(int listener);
// Same effective user, or root.
bool peer_is_trusted(int socket);

enum class PacketEnd { kDone, kTryAgain, kClosed };
PacketEnd send_packet(int socket, const void* data, size_t bytes, std::span<const int> fds);

struct Packet {
  size_t bytes = 0;
  std::vector<UniqueFd> fds;
  bool truncated =
      false;  // more bytes than asked for, or descriptors that this process cannot hold
};
PacketEnd receive_packet(int socket, void* data, size_t bytes, Packet* out);

// The other end has closed or died; leaves what was sent before that unread.
bool has_hung_up(int socket);

}  // namespace muster

#endif
