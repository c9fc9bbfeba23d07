// What probe tells of a machine, and what it means for a group of ranks.
//
//   devices          how many this process sees
//   uuid.I  arch.I   of device I; "sm_90"
//   links.I          a letter for each device that I may store to: S itself, N NVLink, P peer
//   access
//                    over PCIe, - none
//   sources          digest of the kernels' sources
//   nvrtc            its version; absent: there is none
#ifndef MUSTER_PLUGINS_CUDA_PEER_FACTS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_FACTS_HPP

#include <string>

#include "muster/plugin.hpp"

namespace muster::cuda_peer {

// Asks the driver, without a context. Throws UNAVAILABLE with what is missing.
void put_facts(const plugin::Facts& facts);

// What a described group can do.
struct Verdict {
  std::string obstacle;      // why nothing is possible; ""
  std::string no_lines;      // why lines are not: the pair of devices; ""
  std::string architecture;  // of all devices
};
Verdict judge(const plugin::Query& query);

}  // namespace muster::cuda_peer

#endif
