// `muster bench OPERATION`: rows in the style of nccl-tests, with the backend that served; results
// are checked before they are timed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/names.hpp"
#include "core/base/units.hpp"
#include "core/cli/command.hpp"
#include "core/cli/session.hpp"

namespace muster::cli {
namespace {

struct Options {
  RankOptions ranks;
  std::string op;
  std::string dtype = "f32";
  std::string redop = "sum";
  std::string from = "8";
  std::string to = "1M";
  uint64_t factor = 8;
  uint32_t iterations = 20;
  uint32_t warmup = 5;
  bool json = false;
  bool csv = false;
};

struct Row {
  std::string backend;
  uint64_t bytes = 0;
  uint64_t count = 0;
  double median = 0;
  double min = 0;
  double max = 0;
  double p99 = 0;
  double algbw = 0;  // GB/s
  double busbw = 0;
  uint64_t wrong = 0;
  std::string what_was_wrong;
};

// As nccl-tests: the bandwidth of the busiest link, so that it can be compared with hardware
// whatever the number of ranks.
double bus_factor(muster_op op, uint32_t n) {
  switch (op) {
    case MUSTER_ALL_REDUCE:
      return 2.0 * (n - 1) / n;
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_GATHERV:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
    case MUSTER_ALL_TO_ALL:
    case MUSTER_ALL_TO_ALLV:
    case MUSTER_GATHER:
    case MUSTER_GATHERV:
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
      return static_cast<double>(n - 1) / n;
    default:
      return 1.0;
  }
}

// Of these, size means the whole vector, and a rank's count is its n-th part.
bool size_is_whole(muster_op op) {
  return op == MUSTER_ALL_GATHER || op == MUSTER_ALL_GATHERV || op == MUSTER_REDUCE_SCATTER ||
         op == MUSTER_REDUCE_SCATTERV || op == MUSTER_GATHER || op == MUSTER_GATHERV ||
         op == MUSTER_SCATTER || op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALL ||
         op == MUSTER_ALL_TO_ALLV;
}

Result<Row> measure(Session& session, const Options& options, const std::string& backend,
                    muster_op op, muster_dtype dtype, muster_redop redop, uint64_t bytes) {
  Result<muster_group*> group = session.group(backend);
  if (!group.ok()) return group.take_status();
  const uint64_t element = std::max<uint64_t>(dtype_size(dtype), 1);
  const uint64_t parts = size_is_whole(op) ? session.size() : 1;
  Row row;
  row.count = op == MUSTER_BARRIER ? 0 : bytes / element / parts;
  row.bytes = op == MUSTER_BARRIER ? 0 : row.count * parts * element;
  Exercise exercise(op, dtype, redop, row.count, session.rank(), session.size());
  Result<std::string> served = session.backend_of(*group, exercise);
  if (!served.ok()) return served.take_status();
  row.backend = *served;
  if (!backend.empty() && row.backend != backend &&
      row.backend != fmt::format("composed({})", backend)) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("{} of {} bytes is not served by {} but by {}", options.op, row.bytes,
                              backend, row.backend),
                  fmt::format("muster explain {} --dtype {} --bytes {} --ranks {} says why",
                              options.op, options.dtype, row.bytes, session.size()));
  }
  for (uint64_t round = 0; round < 2; ++round) {
    Result<Checked> checked = session.check(*group, exercise, round);
    if (!checked.ok()) return checked.take_status();
    row.wrong += checked->wrong;
    if (row.what_was_wrong.empty()) row.what_was_wrong = checked->text();
  }
  Result<std::vector<double>> warm = session.time_each(*group, exercise, options.warmup);
  if (!warm.ok()) return warm.take_status();
  Result<std::vector<double>> times = session.time_each(*group, exercise, options.iterations);
  if (!times.ok()) return times.take_status();
  std::sort(times->begin(), times->end());
  const size_t n = times->size();
  row.median = (*times)[n / 2];
  row.min = times->front();
  row.max = times->back();
  row.p99 = (*times)[std::min(n - 1, n * 99 / 100)];
  row.algbw = row.median > 0 ? static_cast<double>(row.bytes) / row.median / 1000 : 0;
  row.busbw = row.algbw * bus_factor(op, session.size());
  return row;
}

void print_header(const Options& options, const Session& session) {
  if (options.json) return;
  if (options.csv) {
    std::puts(
        "op,dtype,redop,ranks,bytes,count,median_us,min_us,max_us,p99_us,algbw_gbs,busbw_gbs,wrong,"
        "backend");
    return;
  }
  std::puts(fmt::format("# muster {} | {} ranks, bootstrap {} | {} {} {} | {} iterations after {} "
                        "warm-up | checked",
                        MUSTER_VERSION, session.size(), session.bootstrap(), options.op,
                        options.dtype, options.redop, options.iterations, options.warmup)
                .c_str());
  std::puts("# time: median over iterations of the slowest rank, all ranks starting together");
  std::puts(fmt::format("#{:>11} {:>11} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>6}  {}",
                        "size", "count", "type", "redop", "time", "min", "max", "p99", "algbw",
                        "busbw", "wrong", "backend")
                .c_str());
  std::puts(fmt::format("#{:>11} {:>11} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}", "(B)", "",
                        "", "", "(us)", "(us)", "(us)", "(us)", "(GB/s)", "(GB/s)")
                .c_str());
}

void print_row(const Options& options, const Session& session, muster_op op, const Row& row) {
  const char* const redop = op_reduces(op) ? options.redop.c_str() : "none";
  if (options.csv) {
    std::puts(fmt::format("{},{},{},{},{},{},{:.3f},{:.3f},{:.3f},{:.3f},{:.4f},{:.4f},{},{}",
                          options.op, options.dtype, redop, session.size(), row.bytes, row.count,
                          row.median, row.min, row.max, row.p99, row.algbw, row.busbw, row.wrong,
                          row.backend)
                  .c_str());
  } else {
    std::puts(fmt::format("{:>12} {:>11} {:>6} {:>6} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.2f} {:>7.2f} "
                          "{:>7.2f} {:>6}  {}",
                          row.bytes, row.count, options.dtype, redop, row.median, row.min, row.max,
                          row.p99, row.algbw, row.busbw, row.wrong, row.backend)
                  .c_str());
  }
  std::fflush(stdout);
  if (!row.what_was_wrong.empty()) {
    std::fputs(fmt::format("muster: {} of {} bytes by {} is wrong: {}\n", options.op, row.bytes,
                           row.backend, row.what_was_wrong)
                   .c_str(),
               stderr);
  }
}

nlohmann::ordered_json row_json(const Row& row) {
  return {{"bytes", row.bytes},     {"count", row.count},     {"median_us", row.median},
          {"min_us", row.min},      {"max_us", row.max},      {"p99_us", row.p99},
          {"algbw_gbs", row.algbw}, {"busbw_gbs", row.busbw}, {"wrong", row.wrong},
          {"backend", row.backend}};
}

int run_rank(const Options& options, muster_op op, muster_dtype dtype, muster_redop redop,
             uint64_t from, uint64_t to) {
  auto session = Session::open(options.ranks);
  if (!session.ok()) return fail(session.status());
  Session& s = **session;
  if (!Exercise::is_exact(op, dtype, redop, s.size())) {
    return fail(Status(MUSTER_INVALID_ARGUMENT,
                       fmt::format("{} {} of {} ranks has no result that can be checked exactly",
                                   options.dtype, options.redop, s.size()),
                       "choose another reduce operation or fewer ranks"));
  }
  std::vector<std::string> backends = options.ranks.backends;
  if (backends.empty()) backends.emplace_back();
  if (s.prints()) print_header(options, s);
  std::vector<Row> rows;
  for (uint64_t bytes = from; bytes <= to;
       bytes = op == MUSTER_BARRIER ? to + 1 : bytes * options.factor) {
    for (const std::string& backend : backends) {
      Result<Row> row = measure(s, options, backend, op, dtype, redop, bytes);
      if (!row.ok()) return fail(row.status());
      if (s.prints() && !options.json) print_row(options, s, op, *row);
      rows.push_back(std::move(*row));
    }
    if (bytes > to / options.factor) break;
  }
  uint64_t wrong = 0;
  for (const Row& row : rows) wrong += row.wrong;
  if (s.prints() && options.json) {
    nlohmann::ordered_json json = {
        {"schema", "muster.bench/1"}, {"version", MUSTER_VERSION},
        {"op", options.op},           {"dtype", options.dtype},
        {"redop", options.redop},     {"ranks", s.size()},
        {"bootstrap", s.bootstrap()}, {"rows", nlohmann::ordered_json::array()}};
    for (const Row& row : rows) json["rows"].push_back(row_json(row));
    std::puts(json.dump(2).c_str());
  } else if (s.prints() && !options.csv) {
    std::puts(fmt::format("# wrong elements : {} {}", wrong, wrong == 0 ? "OK" : "FAILED").c_str());
  }
  return wrong == 0 ? kOk : kFailed;
}

// One half of a point-to-point call, and the fused call whose result is rounded, are not measured.
bool can_measure(muster_op op) {
  return op != MUSTER_SEND && op != MUSTER_RECV && op != MUSTER_FUSED_ALL_REDUCE_RMSNORM;
}

std::string measured_ops() {
  std::vector<const char*> names;
  for (muster_op op = MUSTER_OP_NONE + 1; op < MUSTER_OP_END; ++op) {
    if (can_measure(op)) names.push_back(op_name(op));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

int wrong_name(const char* what, const std::string& name, const std::string& known) {
  std::fputs(
      fmt::format("muster: {} '{}' cannot be measured\n        use one of {}\n", what, name, known)
          .c_str(),
      stderr);
  return kUsage;
}

int run(const Options& options, const Context& context) {
  const auto op = op_from_name(options.op);
  const auto dtype = dtype_from_name(options.dtype);
  const auto redop = redop_from_name(options.redop);
  if (!op || !can_measure(*op)) return wrong_name("operation", options.op, measured_ops());
  if (!dtype) return wrong_name("dtype", options.dtype, all_dtype_names());
  if (!redop) return wrong_name("reduce operation", options.redop, all_redop_names());
  const Result<uint64_t> from = parse_bytes(options.from);
  const Result<uint64_t> to = parse_bytes(options.to);
  if (!from.ok() || !to.ok() || *from == 0 || *from > *to) {
    std::fprintf(stderr, "muster: sizes from '%s' to '%s' make no range\n", options.from.c_str(),
                 options.to.c_str());
    return kUsage;
  }
  if (!is_launched_rank()) return start_ranks(options.ranks, options.json, context);
  return run_rank(options, *op, *dtype, *redop, *from, *to);
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("bench", "Measure an operation, and check its results first");
  verb->add_option("operation", options->op, "all_reduce, all_gather, ...")->required();
  add_rank_options(*verb, options->ranks);
  verb->add_option("-b,--from", options->from, "Smallest size in bytes")->capture_default_str();
  verb->add_option("-e,--to", options->to, "Largest size in bytes")->capture_default_str();
  verb->add_option("-f,--factor", options->factor, "Factor between sizes")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  verb->add_option("-d,--dtype", options->dtype, "Element type")->capture_default_str();
  verb->add_option("-o,--redop", options->redop, "Reduce operation")->capture_default_str();
  verb->add_option("-i,--iterations", options->iterations, "Timed iterations per size")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb->add_option("-w,--warmup", options->warmup, "Iterations before that")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb->add_flag("--json", options->json, "Print JSON (muster.bench/1)");
  verb->add_flag("--csv", options->csv, "Print comma-separated values");
  verb->callback([&context, options] {
    context.run = [&context, options] { return run(*options, context); };
  });
}

}  // namespace muster::cli
