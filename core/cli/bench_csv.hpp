// Reads what `muster bench --csv` and the peers' programs print.
#ifndef MUSTER_CORE_CLI_BENCH_CSV_HPP
#define MUSTER_CORE_CLI_BENCH_CSV_HPP

#include <string_view>
#include <vector>

#include "core/base/status.hpp"
#include "core/cli/bench_row.hpp"

namespace muster::cli {

// Columns are found by name, others are passed over; lines before the header too (launchers talk).
// DATA_LOSS naming the line when it is no such table.
Result<std::vector<BenchRow>> parse_bench_csv(std::string_view text);

}  // namespace muster::cli

#endif
