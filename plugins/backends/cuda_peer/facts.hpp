// What probe tells of a machine, and what it means for a group of ranks.
//
//   devices          how many this process sees
//   uuid.I  arch.I   of device I; "sm_90"
//   links.I          a letter for each device that I may store to: S itself, N NVLink, P peer
//   access
//                    over PCIe, - none
//   sources          digest of the kernels' sources
//   nvrtc            its version; absent: there is none
//   variants.A.N     programs that are ready here for architecture A and groups of N ranks, by name
//                    in order, a space between them: "moves reductions.bf16"; absent: none
//   builds           the toolchain, where this process builds what is missing when it makes a group
#ifndef MUSTER_PLUGINS_CUDA_PEER_FACTS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_FACTS_HPP

#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/cubins.hpp"

namespace muster::cuda_peer {

// Asks the driver, without a context. Throws UNAVAILABLE with what is missing.
void put_facts(const plugin::Facts& facts, const Cubins& cubins);
// Of the devices of this process, each once; none without a driver.
std::vector<std::string> architectures_here();

// What a described group can do.
struct Verdict {
  std::string obstacle;      // why nothing is possible; ""
  std::string no_lines;      // why lines are not: the pair of devices; ""
  std::string architecture;  // of all devices
  // Element types (MUSTER_BIT) whose reductions, and whose moves, are ready on every rank.
  uint64_t reducible = 0;
  uint64_t movable = 0;
  std::vector<std::string> not_ready;  // a reason for each program that is not
};
Verdict judge(const plugin::Query& query);

}  // namespace muster::cuda_peer

#endif
