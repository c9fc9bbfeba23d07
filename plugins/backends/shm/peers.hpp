// The order in which a rank serves the others. Equal work for all, whoever begins.
#ifndef MUSTER_PLUGINS_SHM_PEERS_HPP
#define MUSTER_PLUGINS_SHM_PEERS_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

namespace muster::shm {

// Each rank begins with its neighbour, so that they do not all crowd around one; those of its own
// NUMA node come first, for what they show is near and what the others show may come meanwhile.
// nodes: by rank, the NUMA node that it runs on.
inline std::vector<uint32_t> peers_in_order(uint32_t rank, const std::vector<uint32_t>& nodes) {
  const auto size = static_cast<uint32_t>(nodes.size());
  std::vector<uint32_t> peers;
  for (uint32_t i = 1; i < size; ++i) peers.push_back((rank + i) % size);
  std::stable_partition(peers.begin(), peers.end(),
                        [&](uint32_t peer) { return nodes[peer] == nodes[rank]; });
  return peers;
}

}  // namespace muster::shm

#endif
