// `muster bench OPERATION`: rows in the style of nccl-tests, with the backend that served; results
// are checked before they are timed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "core/cli/bench_compare.hpp"
#include "core/cli/bench_measure.hpp"
#include "core/cli/bench_options.hpp"
#include "core/cli/bench_plot.hpp"
#include "core/cli/bench_print.hpp"
#include "core/cli/bench_tune.hpp"
#include "core/cli/command.hpp"
#include "core/cli/processors.hpp"
#include "core/cli/session.hpp"

namespace muster::cli {
namespace {

void tell_wrong(const MeasuredRow& measured) {
  if (measured.what_was_wrong.empty()) return;
  std::fputs(fmt::format("muster: {} of {} bytes by {} is wrong: {}\n", measured.row.op,
                         measured.row.bytes, measured.row.backend, measured.what_was_wrong)
                 .c_str(),
             stderr);
}

// A line for each backend, in the order in which they first served.
std::vector<PlotLine> lines_of(const std::vector<BenchRow>& rows) {
  std::vector<PlotLine> lines;
  for (const BenchRow& row : rows) {
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&](const PlotLine& l) { return l.label == row.backend; });
    if (line == lines.end()) line = lines.insert(line, PlotLine{row.backend, {}});
    line->points.push_back({row.bytes, row.median, row.busbw});
  }
  return lines;
}

// Whose rows there are of each size: a backend ("": whichever serves) and the variant of its group.
using Contestant = std::pair<std::string, uint32_t>;

std::vector<Contestant> contestants_of(const BenchOptions& options) {
  std::vector<std::string> backends = options.ranks.backends;
  if (backends.empty()) backends.emplace_back();
  std::vector<Contestant> contestants;
  for (const std::string& backend : backends) {
    if (options.variants == 0) contestants.emplace_back(backend, 0);
    for (uint32_t v = 1; v <= options.variants; ++v) contestants.emplace_back(backend, v);
  }
  return contestants;
}

int run_rank(const BenchOptions& options) {
  // Before the runtime: its threads and memory belong to the same core.
  if (options.bind == "core") bind_to_processor(local_place());
  auto session = Session::open(options.ranks);
  if (!session.ok()) return fail(session.status());
  Session& s = **session;
  if (!Exercise::is_exact(options.op, options.dtype, options.redop, s.size())) {
    return fail(Status(MUSTER_INVALID_ARGUMENT,
                       fmt::format("{} {} of {} ranks has no result that can be checked exactly",
                                   options.dtype_name, options.redop_name, s.size()),
                       "choose another reduce operation or fewer ranks"));
  }
  const Result<double> floor = s.floor(options.loop);
  if (!floor.ok()) return fail(floor.status());
  const BenchWorld world{s.size(), s.bootstrap(), s.meets_in_memory(), *floor};
  const std::vector<Contestant> contestants = contestants_of(options);
  if (s.prints()) print_bench_header(options, world);
  std::vector<BenchRow> rows;
  uint64_t wrong = 0;
  for (const uint64_t bytes : options.sizes) {
    for (const auto& [backend, variant] : contestants) {
      Result<MeasuredRow> measured = measure(s, options, backend, variant, bytes);
      if (!measured.ok()) return fail(measured.status());
      wrong += measured->row.wrong;
      rows.push_back(measured->row);
      if (!s.prints()) continue;
      print_bench_row(options, rows.back());
      tell_wrong(*measured);
    }
  }
  if (s.prints()) print_bench_end(options, world, rows);
  if (s.prints() && !options.plot.empty()) {
    if (Status drawn = draw_plot(options.plot, plot_title(options), lines_of(rows)); !drawn.ok()) {
      return fail(drawn);
    }
  }
  return wrong == 0 ? kOk : kFailed;
}

int run(BenchOptions& options, const Context& context) {
  if (const int code = understand(options); code != kOk) return code;
  if (!options.plot.empty() && !is_launched_rank() && !options.ranks.dry_run) {
    if (Status there = check_gnuplot(); !there.ok()) return fail(there);
  }
  const bool starts_turns = !options.peers.empty() || !options.tune.empty();
  if (starts_turns && is_launched_rank()) {
    std::fprintf(stderr,
                 "muster: %s starts ranks itself\n        call it without mpirun or muster run\n",
                 options.tune.empty() ? "--compare" : "--tune");
    return kUsage;
  }
  if (!options.tune.empty()) return tune(options);
  if (!options.peers.empty()) return compare(options);
  if (!is_launched_rank()) return start_ranks(options.ranks, options.json, context);
  return run_rank(options);
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "Measure an operation, and check its results first");
  add_bench_options(*verb, *options);
  verb->callback([&context, options] {
    context.run = [&context, options] { return run(*options, context); };
  });
}

}  // namespace muster::cli
