// Copies what a child writes, line by line, with its rank in front: "[1] ...".
//
// Lines of several ranks never mix; an unfinished last line is ended. Driven by the thread that
// polls fd(). As mpirun --tag-output.
#ifndef MUSTER_CORE_BOOTSTRAP_LINE_PREFIXER_HPP
#define MUSTER_CORE_BOOTSTRAP_LINE_PREFIXER_HPP

#include <string>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {

class LinePrefixer {
 public:
  // Copies to the descriptor `to`, which stays the caller's.
  LinePrefixer(UniqueFd from, int to, std::string prefix);

  int fd() const { return from_.get(); }
  // Copies what is there without waiting, a pipe's fill at most. False once the other end has
  // closed.
  bool copy();
  // At the end: copies the rest.
  void finish();

 private:
  void write_lines(bool all);

  UniqueFd from_;
  int to_;
  std::string prefix_;
  std::string pending_;
};

}  // namespace muster

#endif
