// The sockets of a node channel: the listener, one connection per peer, callers that have not said
// yet who they are, and descriptors that came before anybody asked for them.
//
// Between two ranks the higher connects and the lower accepts; the first packet carries a secret
// out of the acceptor's address and the connector's rank. Not thread-safe: the node channel locks;
// waiting on epoll_fd() needs no lock. Nothing here waits.
#ifndef MUSTER_CORE_BOOTSTRAP_NODE_LINKS_HPP
#define MUSTER_CORE_BOOTSTRAP_NODE_LINKS_HPP

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"
#include "core/bootstrap/packet_socket.hpp"

namespace muster {

enum class Link { kNone, kUp, kLost };

// What one rank gave in one exchange.
struct GivenFds {
  uint64_t sequence = 0;
  uint32_t count = 0;  // as its sender says
  std::vector<UniqueFd> fds;
};

class NodeLinks {
 public:
  ~NodeLinks();
  Status listen(uint32_t rank);
  uint32_t rank() const { return rank_; }
  std::string address() const { return name_ + ":" + secret_; }
  void set_addresses(std::vector<std::string> addresses) { addresses_ = std::move(addresses); }

  Link link(uint32_t peer) const;
  // Connects to a lower rank; still Link::kNone when it has to be tried again. For a higher rank
  // that has not connected: whether anybody listens there at all.
  Status reach(uint32_t peer);
  // False: try again later. A link that breaks becomes kLost.
  bool send(uint32_t peer, uint64_t tag, uint64_t sequence, std::span<const int> fds);
  // Older sequences of the same tag are dropped.
  std::optional<GivenFds> take(uint32_t peer, uint64_t tag, uint64_t sequence);
  // Does not read, so that the link stays as it is.
  bool alive(uint32_t peer) const;

  int epoll_fd() const { return epoll_.get(); }
  Status handle(std::span<const epoll_event> events);

 private:
  struct Stranger {
    UniqueFd fd;
    std::chrono::steady_clock::time_point since;
  };

  Status watch(int fd, int operation, uint64_t key);
  Status accept_one();
  void identify(int fd);
  void drop_strangers();
  void receive_all(uint32_t peer);
  void lose(uint32_t peer);

  uint32_t rank_ = 0;
  std::string name_;
  std::string secret_;
  UniqueFd listener_;
  UniqueFd epoll_;
  std::vector<std::string> addresses_;
  std::map<uint32_t, UniqueFd> peers_;  // an invalid descriptor: lost
  std::deque<Stranger> strangers_;      // oldest first
  std::map<std::pair<uint32_t, uint64_t>, std::deque<GivenFds>> given_;  // by peer and tag
};

}  // namespace muster

#endif
