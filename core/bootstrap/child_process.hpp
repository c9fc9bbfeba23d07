// Starts one child of the launcher: fork, prepare, exec, with the failure of the exec known to the
// caller.
//
// The child dies with the thread that started it (PR_SET_PDEATHSIG). The caller waits for it.
#ifndef MUSTER_CORE_BOOTSTRAP_CHILD_PROCESS_HPP
#define MUSTER_CORE_BOOTSTRAP_CHILD_PROCESS_HPP

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/status.hpp"

namespace muster {

struct ChildOptions {
  std::vector<std::string> command;  // searched in PATH
  // Replace what is inherited under the same names.
  std::vector<std::pair<std::string, std::string>> environment;
  int inherited_fd = -1;  // stays open under its number
  // What becomes the child's 0, 1, 2; -1: as the caller's.
  int standard_fds[3] = {-1, -1, -1};
  sigset_t signal_mask;  // of the child
};

// NOT_FOUND with the system's words when the program cannot be run; no child is left then.
Result<pid_t> start_child(const ChildOptions& options);

}  // namespace muster

#endif
