// One row of `muster bench`: the call is checked, then timed.
#ifndef MUSTER_CORE_CLI_BENCH_MEASURE_HPP
#define MUSTER_CORE_CLI_BENCH_MEASURE_HPP

#include <string>

#include "core/cli/bench_options.hpp"
#include "core/cli/bench_row.hpp"
#include "core/cli/session.hpp"

namespace muster::cli {

struct MeasuredRow {
  BenchRow row;
  std::string what_was_wrong;
};

// By the backend ("": whichever serves) in its group of this variant; UNAVAILABLE when another one
// serves. [collective]
Result<MeasuredRow> measure(Session& session, const BenchOptions& options,
                            const std::string& backend, uint32_t variant, uint64_t bytes);

}  // namespace muster::cli

#endif
