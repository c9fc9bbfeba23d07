// The system's C++ compiler, for kernels that are built on the machine.
//
// Any thread; describe() and run() start processes.
#ifndef MUSTER_CORE_KERNELS_COMPILER_HPP
#define MUSTER_CORE_KERNELS_COMPILER_HPP

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/status.hpp"

namespace muster {

struct Compiler {
  std::vector<std::string> command;  // [0] absolute; more where CXX has more words
  std::string stamp;                 // changes when the program is replaced
};

// [kernels] compiler, CXX, or the first of c++, g++, clang++ in PATH. Nothing is started. NOT_FOUND
// when there is none.
Result<Compiler> find_compiler(const Config& config);

// Its version and what -march=`march` means to it, for digests.
Result<std::string> describe_compiler(const Compiler& compiler, const std::string& march);

// Runs a command to its end, both outputs in the file. NOT_FOUND when it cannot be started.
Status run_into_file(const std::vector<std::string>& command, const std::string& output);

}  // namespace muster

#endif
