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
  bool per_group = false;  // the option takes OPERATION/RANKS=BYTES[:BYTES...] instead of a size
  // One size each, per group also several, none: as shipped. The first stays where none is clearly
  // better.
  std::vector<std::vector<uint64_t>> candidates;
  std::vector<uint64_t> sizes;  // that are measured
  std::vector<std::string> operations;
  // Of the groups that it is about.
  uint64_t ranks_from = 1;
  uint64_t ranks_to = UINT64_MAX;
};

// INVALID_ARGUMENT with the line of what is wrong.
Result<std::vector<TunedLimit>> parse_limits(const std::string& text, const std::string& name);

// Returns the exit code.
int tune(const BenchOptions& options);

}  // namespace muster::cli

#endif
