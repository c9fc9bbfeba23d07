// The cases of the conformance suite, by the names that a report gives them.
#ifndef MUSTER_TESTS_KIT_CHECK_CATALOGUE_HPP
#define MUSTER_TESTS_KIT_CHECK_CATALOGUE_HPP

#include <string>
#include <vector>

#include "muster/muster.h"
#include "tests/kit/check/setup.hpp"

namespace muster::check {

// Where a case runs: in one process without a world, as every rank of a world of processes, or in
// one process that makes worlds of threads.
enum class Where { kAlone, kRanks, kThreads };

// What a case gets. One rank's.
struct Scene {
  const Setup& setup;
  std::string directory;              // of this case, common to its ranks
  muster_threads* threads = nullptr;  // ranks as threads: --in-process
  uint32_t thread_rank = 0;
  std::string argument;  // of the case; "all_reduce"
};

struct Case {
  std::string name;  // "suite.case"
  Where where;
  // Fails by throwing Failed or NotOffered; what it returns must be alike on all ranks.
  std::string (*run)(const Scene& scene);
  const char* what;
  std::string argument = {};
  std::string suite() const { return name.substr(0, name.find('.')); }
  // Whether nothing else can be looked at when it is not ok.
  bool decides = false;
};

const std::vector<Case>& catalogue();

// ---- the cases, one file per suite ----

std::string handshake_loads(const Scene& scene);
std::string handshake_symbols(const Scene& scene);
std::string handshake_interfaces(const Scene& scene);
std::string lifecycle_open_close(const Scene& scene);
std::string lifecycle_null(const Scene& scene);
std::string lifecycle_groups(const Scene& scene);
std::string probe_budget(const Scene& scene);
std::string probe_facts(const Scene& scene);
std::string offers_pure(const Scene& scene);
std::string offers_well_formed(const Scene& scene);
std::string offers_agreed(const Scene& scene);
std::string offers_limits(const Scene& scene);
std::string collectives(const Scene& scene);
std::string contract_alone(const Scene& scene);
std::string contract_half_made(const Scene& scene);
std::string contract_tag_lines(const Scene& scene);
std::string contract_unknown_values(const Scene& scene);
std::string memory_registered(const Scene& scene);
std::string order_in_flight(const Scene& scene);
std::string determinism_run_to_run(const Scene& scene);
std::string determinism_rank_invariant(const Scene& scene);
std::string determinism_size_invariant(const Scene& scene);
std::string concurrency_groups(const Scene& scene);
std::string concurrency_threads(const Scene& scene);
std::string concurrency_runtimes(const Scene& scene);
std::string capture_phases(const Scene& scene);
std::string capture_aborted(const Scene& scene);
std::string faults_peer_lost(const Scene& scene);
std::string faults_deadline(const Scene& scene);
std::string silence_alone(const Scene& scene);
std::string silence_ranks(const Scene& scene);
std::string leaks_memory(const Scene& scene);
std::string leaks_descriptors(const Scene& scene);
std::string leaks_threads(const Scene& scene);

}  // namespace muster::check

#endif
