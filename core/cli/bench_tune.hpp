// `muster bench --tune`: tries values of those options of a backend at which it changes from one
// algorithm to another, and writes what was fastest on this machine as a configuration file.
#ifndef MUSTER_CORE_CLI_BENCH_TUNE_HPP
#define MUSTER_CORE_CLI_BENCH_TUNE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/bench_options.hpp"

namespace muster::cli {

// One option, from ../share/muster/tuning/<backend>.toml.
struct TunedLimit {
  std::string option;
  bool per_group = false;            // the option takes OPERATION/RANKS=BYTES instead of a size
  std::vector<uint64_t> candidates;  // the first stays where none is clearly better
  std::vector<uint64_t> sizes;       // that are measured
  std::vector<std::string> operations;
};

// INVALID_ARGUMENT with the line of what is wrong.
Result<std::vector<TunedLimit>> parse_limits(const std::string& text, const std::string& name);

// Returns the exit code.
int tune(const BenchOptions& options);

}  // namespace muster::cli

#endif
