// Launches that were made before, ready to be made again: for calls of which everything but buffers
// and stream follows from operation, types and count. Finding one costs a few comparisons, making
// one some hundred instructions.
//
// [group-serial]; find: [no-block], no allocation. Whoever keeps a launch sees to it that it is
// forgotten when it would be made differently.
#ifndef MUSTER_PLUGINS_CUDA_PEER_KEPT_LAUNCHES_HPP
#define MUSTER_PLUGINS_CUDA_PEER_KEPT_LAUNCHES_HPP

#include <array>
#include <cstdint>

#include "plugins/backends/cuda_peer/launch.hpp"

namespace muster::cuda_peer {

class KeptLaunches {
 public:
  // Whether a call is described by what is compared here: no operands beside its buffers.
  static bool can_keep(const muster_call& call) {
    return call.scalar == nullptr && call.op != MUSTER_FUSED_ALL_REDUCE_RMSNORM;
  }
  // Of an equal call; nullptr: there was none, or another one has taken its place.
  Launch* find(const muster_call& call) {
    Entry& entry = entry_of(call);
    return entry.key == Key(call) && can_keep(call) ? &entry.launch : nullptr;
  }
  // A launch to be filled in; it is found once it is `kept`.
  Launch& place(const muster_call& call) {
    Entry& entry = entry_of(call);
    entry.key = Key();
    return entry.launch;
  }
  void kept(const muster_call& call) { entry_of(call).key = Key(call); }
  void forget() {
    for (Entry& entry : entries_) entry.key = Key();
  }

 private:
  struct Key {
    Key() = default;
    explicit Key(const muster_call& call)
        : count(call.count),
          kinds(static_cast<uint64_t>(call.op) << 48 | static_cast<uint64_t>(call.dtype) << 32 |
                static_cast<uint64_t>(call.redop) << 16 | (call.flags & MUSTER_CALL_SYMMETRIC)),
          root(call.root) {}
    bool operator==(const Key& other) const {
      return ((count ^ other.count) | (kinds ^ other.kinds) | (root ^ other.root)) == 0;
    }
    uint64_t count = 0;
    uint64_t kinds = 0;  // of no call
    uint64_t root = 0;
  };
  struct Entry {
    Key key;
    Launch launch;
  };
  static constexpr unsigned kBits = 4;

  Entry& entry_of(const muster_call& call) {
    const uint64_t mixed = (call.count ^ static_cast<uint64_t>(call.op) << 60) * 0x9E3779B97F4A7C15;
    return entries_[mixed >> (64 - kBits)];
  }

  std::array<Entry, 1u << kBits> entries_;
};

}  // namespace muster::cuda_peer

#endif
