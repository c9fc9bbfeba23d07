// The node-local channel of one runtime: file descriptors between ranks of one machine, and whether
// those ranks still live.
//
// Each runtime listens on an abstract Unix socket whose name carries a nonce; the addresses are
// exchanged by whichever bootstrap serves. Connections are made on first use between two ranks,
// peer credentials checked (same effective user, or root), kept until the channel closes: their
// hang-up tells that a rank is gone. Nothing is left behind when a rank dies. Ranks as threads use
// the same path. Thread rule: any thread.
#ifndef MUSTER_CORE_BOOTSTRAP_NODE_CHANNEL_HPP
#define MUSTER_CORE_BOOTSTRAP_NODE_CHANNEL_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.hpp"

namespace muster {

class NodeChannel {
 public:
  static Result<std::unique_ptr<NodeChannel>> listen(uint32_t world_rank);
  ~NodeChannel();
  NodeChannel(const NodeChannel&) = delete;
  NodeChannel& operator=(const NodeChannel&) = delete;

  // What others need to reach this rank; at most 100 bytes.
  std::string address() const;
  // By world rank; ranks of other nodes have an empty address.
  void set_addresses(std::vector<std::string> addresses);

  // Connects to every one of the ranks (collective over them), so that alive() can tell. All on
  // this node, the caller included.
  Status connect(std::span<const uint32_t> world_ranks, uint64_t deadline_ns);

  // Every rank gives fds.size() descriptors (0..8, the same count everywhere), and receives all in
  // list order, its own duplicated (close-on-exec). The caller closes them. tag tells exchanges of
  // different groups apart.
  Result<std::vector<int>> exchange_fds(std::span<const uint32_t> world_ranks, uint64_t tag,
                                        std::span<const int> fds, uint64_t deadline_ns);

  // False once the connection to this rank has hung up; true before, for the caller itself and for
  // ranks never connected. Cheap enough to call every 100 ms, not more.
  bool alive(uint32_t world_rank);

 private:
  NodeChannel();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster

#endif
