// A command as a child that cannot outstay its time.
//
// For a process of one thread. Nothing is left running: the child is the first of a process group
// that is ended with it.
#ifndef MUSTER_TESTS_KIT_CHECK_CHILD_HPP
#define MUSTER_TESTS_KIT_CHECK_CHILD_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::check {

struct Command {
  std::vector<std::string> arguments;                            // the first is searched in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // besides this process's own
  std::string out;  // files that take stdout and stderr
  std::string err;
};

struct Ended {
  bool overdue = false;  // it was ended
  int code = 0;          // exit code, or 128 + the signal
};

// Throws std::runtime_error, the child having ended, once this process was asked to end.
Ended run_child(const Command& command, uint64_t limit_ms);
// From now on SIGINT, SIGTERM and SIGHUP are seen by run_child.
void end_with_children();

}  // namespace muster::check

#endif
