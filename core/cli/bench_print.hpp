// How `muster bench` prints its rows: a table in the style of nccl-tests, CSV, or JSON
// (muster.bench/1).
#ifndef MUSTER_CORE_CLI_BENCH_PRINT_HPP
#define MUSTER_CORE_CLI_BENCH_PRINT_HPP

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cli/bench_options.hpp"
#include "core/cli/bench_row.hpp"

namespace muster::cli {

struct BenchWorld {
  uint32_t ranks = 0;
  std::string bootstrap;
  bool meets_in_memory = false;
  double floor = 0;  // microseconds; 0: not measured
};

void print_bench_header(const BenchOptions& options, const BenchWorld& world);
void print_bench_row(const BenchOptions& options, const BenchRow& row);
// JSON, or the last line of the table.
void print_bench_end(const BenchOptions& options, const BenchWorld& world,
                     const std::vector<BenchRow>& rows);

nlohmann::ordered_json bench_row_json(const BenchRow& row);

}  // namespace muster::cli

#endif
