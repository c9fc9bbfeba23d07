// `muster bench OPERATION`: rows in the style of nccl-tests, with the backend that served; results
// are checked before they are timed.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "core/cli/bench_compare.hpp"
#include "core/cli/bench_measure.hpp"
#include "core/cli/bench_options.hpp"
#include "core/cli/bench_print.hpp"
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
  std::vector<std::string> backends = options.ranks.backends;
  if (backends.empty()) backends.emplace_back();
  if (s.prints()) print_bench_header(options, world);
  std::vector<BenchRow> rows;
  uint64_t wrong = 0;
  for (const uint64_t bytes : options.sizes) {
    for (const std::string& backend : backends) {
      Result<MeasuredRow> measured = measure(s, options, backend, bytes, *floor);
      if (!measured.ok()) return fail(measured.status());
      wrong += measured->row.wrong;
      rows.push_back(measured->row);
      if (!s.prints()) continue;
      print_bench_row(options, rows.back());
      tell_wrong(*measured);
    }
  }
  if (s.prints()) print_bench_end(options, world, rows);
  return wrong == 0 ? kOk : kFailed;
}

int run(BenchOptions& options, const Context& context) {
  if (const int code = understand(options); code != kOk) return code;
  if (!options.peers.empty()) {
    if (!is_launched_rank()) return compare(options);
    std::fputs(
        "muster: --compare starts ranks itself\n        call it without mpirun or muster run\n",
        stderr);
    return kUsage;
  }
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
