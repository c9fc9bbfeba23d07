#include "core/cli/bench_print.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "core/base/json_text.hpp"

namespace muster::cli {
namespace {

void print(const std::string& line) { std::puts(line.c_str()); }

std::string how_timed(const BenchOptions& options, const BenchWorld& world) {
  if (!options.ranks.device.empty()) {
    return fmt::format(
        "# time: median over samples of {} calls {}, {} sets of buffers in rotation, "
        "of the slowest rank, by events of the device",
        options.depth, options.graph ? "in a graph" : "enqueued one by one", options.buffers);
  }
  if (options.loop.back_to_back) {
    return "# time: median over samples of calls back to back, of the slowest rank";
  }
  std::string text =
      "# time: median over iterations of the slowest rank, all ranks starting together";
  if (!world.meets_in_memory) text += " (after a barrier: short times are hidden by it)";
  return text;
}

}  // namespace

void print_bench_header(const BenchOptions& options, const BenchWorld& world) {
  if (options.json) return;
  if (options.csv) {
    print(bench_csv_header());
    return;
  }
  print(fmt::format("# muster {} | {} ranks, bootstrap {} | {} {} {}{} | checked, then timed",
                    MUSTER_VERSION, world.ranks, world.bootstrap, options.op_name,
                    options.dtype_name, options.redop_name, options.in_place ? " in place" : "") +
        (options.ranks.device.empty() ? "" : fmt::format(" | {} memory", options.ranks.device)) +
        (options.memory == "ordinary" ? "" : " | memory of muster_mem_alloc"));
  print(how_timed(options, world));
  if (world.meets_in_memory && options.ranks.device.empty()) {
    print(
        fmt::format("# floor: {:.2f} us for an exchange of nothing in the same loop", world.floor));
  }
  print(fmt::format("#{:>11} {:>11} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>6}  {}",
                    "size", "count", "type", "redop", "time", "min", "max", "p99", "algbw", "busbw",
                    "wrong", "backend"));
  print(fmt::format("#{:>11} {:>11} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}", "(B)", "", "",
                    "", "(us)", "(us)", "(us)", "(us)", "(GB/s)", "(GB/s)"));
}

void print_bench_row(const BenchOptions& options, const BenchRow& row) {
  if (options.json) return;
  if (options.csv) {
    print(bench_csv_line(row));
  } else {
    print(fmt::format("{:>12} {:>11} {:>6} {:>6} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.2f} {:>7.2f} "
                      "{:>7.2f} {:>6}  {}",
                      row.bytes, row.count, row.dtype, row.redop, row.median, row.min, row.max,
                      row.p99, row.algbw, row.busbw, row.wrong, row.backend) +
          (row.host > 0 ? fmt::format("  (host {:.2f} us a call)", row.host) : ""));
  }
  std::fflush(stdout);
}

void print_bench_end(const BenchOptions& options, const BenchWorld& world,
                     const std::vector<BenchRow>& rows) {
  if (options.csv) return;
  if (!options.json) {
    uint64_t wrong = 0;
    for (const BenchRow& row : rows) wrong += row.wrong;
    print(fmt::format("# wrong elements : {} {}", wrong, wrong == 0 ? "OK" : "FAILED"));
    return;
  }
  nlohmann::ordered_json json = {{"schema", "muster.bench/1"},
                                 {"version", MUSTER_VERSION},
                                 {"op", options.op_name},
                                 {"dtype", options.dtype_name},
                                 {"redop", options.redop_name},
                                 {"ranks", world.ranks},
                                 {"bootstrap", world.bootstrap},
                                 {"device", options.ranks.device},
                                 {"loop", rows.empty() ? options.loop_name : rows.front().loop},
                                 {"place", options.in_place ? "in" : "out"},
                                 {"memory", options.memory},
                                 {"floor_us", nullptr},
                                 {"rows", nlohmann::ordered_json::array()}};
  if (world.meets_in_memory) json["floor_us"] = world.floor;
  for (const BenchRow& row : rows) json["rows"].push_back(bench_row_json(row));
  print(json_text(json, 2));
}

nlohmann::ordered_json bench_row_json(const BenchRow& row) {
  return {{"bytes", row.bytes},     {"count", row.count},     {"median_us", row.median},
          {"min_us", row.min},      {"max_us", row.max},      {"p99_us", row.p99},
          {"algbw_gbs", row.algbw}, {"busbw_gbs", row.busbw}, {"iterations", row.iterations},
          {"wrong", row.wrong},     {"backend", row.backend}, {"host_us", row.host}};
}

}  // namespace muster::cli
