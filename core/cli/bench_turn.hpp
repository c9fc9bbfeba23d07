// One turn of a contender: started, read and judged.
#ifndef MUSTER_CORE_CLI_BENCH_TURN_HPP
#define MUSTER_CORE_CLI_BENCH_TURN_HPP

#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/bench_options.hpp"
#include "core/cli/bench_peers.hpp"
#include "core/cli/bench_row.hpp"

namespace muster::cli {

// A row per size, of every variant. first: rows that others have shown, of the same sizes; may be
// null. A contender that has no such operation gives no rows and its words in *left_out. A failure
// tells what it printed and how it was started.
Result<std::vector<BenchRow>> take_turn(const BenchOptions& options, const Contender& contender,
                                        const std::vector<BenchRow>* first, std::string* left_out);

}  // namespace muster::cli

#endif
