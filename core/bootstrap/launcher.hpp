// `muster run`: starts the ranks of a world on this machine, serves their bootstrap, and ends with
// them.
//
// Each child gets MUSTER_LOCAL_FD (its inherited socket), MUSTER_LOCAL_RANK and MUSTER_LOCAL_SIZE.
// No child outlives the launcher, whichever way it ends. Thread rule: called by the main thread of
// a process that leaves SIGCHLD, SIGINT, SIGTERM and SIGHUP to it meanwhile. Equivalent to mpirun
// on one host.
#ifndef MUSTER_CORE_BOOTSTRAP_LAUNCHER_HPP
#define MUSTER_CORE_BOOTSTRAP_LAUNCHER_HPP

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster {

struct LaunchOptions {
  std::vector<std::string> command;  // searched in PATH
  uint32_t ranks = 1;
  // Put "[rank] " in front of every line of the children's output; else they write to the
  // launcher's own. Only rank 0 reads the launcher's standard input.
  bool prefix_output = false;
  // Once a child has failed: how long the others may take to end by themselves (they see
  // PEER_LOST) before SIGTERM, and then before SIGKILL.
  std::chrono::milliseconds grace{10'000};
  std::chrono::milliseconds kill_after{5'000};
  // Set in every child.
  std::vector<std::pair<std::string, std::string>> environment;
};

// Returns when every child has ended. 0, or the exit code of the child that failed first (128 + the
// signal that killed it), 127 when the program cannot be run, 2 for options that make no sense, 1
// when the machine lacks something; the reason is on stderr.
int launch(const LaunchOptions& options);

}  // namespace muster

#endif
