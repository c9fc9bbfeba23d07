// `muster bench --compare`: muster's backends and the peers in turns, on the same machine in the
// same minutes, side by side.
#ifndef MUSTER_CORE_CLI_BENCH_COMPARE_HPP
#define MUSTER_CORE_CLI_BENCH_COMPARE_HPP

#include "core/cli/bench_options.hpp"

namespace muster::cli {

// Starts every contender options.repeats times, one after the other, and prints the medians of
// those runs. Returns the exit code: kFailed when one failed or was wrong.
int compare(const BenchOptions& options);

}  // namespace muster::cli

#endif
