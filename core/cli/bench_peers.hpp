// The peers that `muster bench --compare` knows, and how each is started.
#ifndef MUSTER_CORE_CLI_BENCH_PEERS_HPP
#define MUSTER_CORE_CLI_BENCH_PEERS_HPP

#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/bench_options.hpp"

namespace muster::cli {

// One line of a comparison: a backend of muster's, or a peer.
struct Contender {
  std::string name;  // "muster", "muster shm", "openmpi"
  std::vector<std::string> command;
  bool needs_store = false;  // --store and an empty directory are added for each run
};

bool is_known_peer(const std::string& name);
std::string known_peers();  // "openmpi, mpich, gloo"

Contender own_contender(const BenchOptions& options, const std::string& backend);

// muster first, once per named backend. NOT_FOUND when a peer's program is not there.
Result<std::vector<Contender>> contenders(const BenchOptions& options);

}  // namespace muster::cli

#endif
