#include "core/cli/bench_turn.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/base/scratch_directory.hpp"
#include "core/cli/bench_csv.hpp"
#include "core/cli/captured_run.hpp"

namespace muster::cli {
namespace {

std::string last_lines(const std::string& text) {
  constexpr size_t kMost = 2000;
  std::string tail = text.size() > kMost ? "..." + text.substr(text.size() - kMost) : text;
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail.empty() ? "it printed nothing to stderr" : "it printed:\n" + tail;
}

Status check_rows(const std::vector<BenchRow>& rows, const std::vector<BenchRow>* first) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].wrong != 0) {
      return Status(MUSTER_DATA_LOSS,
                    fmt::format("{} wrong elements of {} bytes", rows[i].wrong, rows[i].bytes));
    }
    if (first == nullptr) continue;
    if (i >= first->size() || rows[i].bytes != (*first)[i].bytes ||
        rows[i].op != first->front().op) {
      return Status(MUSTER_DATA_LOSS,
                    fmt::format("row {} is of {} bytes of {}, which nobody asked for", i + 1,
                                rows[i].bytes, rows[i].op));
    }
  }
  return Status();
}

}  // namespace

Result<std::vector<BenchRow>> take_turn(const BenchOptions& options, const Contender& contender,
                                        const std::vector<BenchRow>* first, std::string* left_out) {
  std::vector<std::string> command = contender.command;
  const ScratchDirectory store("bench");  // of ranks that find each other by files
  MUSTER_TRY(store.status());
  if (contender.needs_store) command.insert(command.end(), {"--store", store.path()});
  const size_t expected = options.sizes.size() * std::max(options.variants, 1u);
  const double measuring = (options.loop.seconds + 2) * static_cast<double>(expected + 1);
  const auto limit = std::chrono::seconds(60 + static_cast<int64_t>(10 * measuring));
  Result<CapturedRun> run = run_captured(command, {}, limit);
  if (!run.ok()) return run.take_status();
  if (run->exit_code == kSkipped) {
    *left_out = run->err.substr(0, run->err.find('\n'));
    return std::vector<BenchRow>();
  }
  Result<std::vector<BenchRow>> rows = parse_bench_csv(run->out);
  Status wrong = rows.ok() ? check_rows(*rows, first) : rows.take_status();
  if (run->exit_code != 0 && (wrong.ok() || !rows.ok())) {
    wrong = Status(MUSTER_INTERNAL, fmt::format("it ended with exit code {}", run->exit_code));
  }
  if (wrong.ok() && rows->size() != expected) {
    wrong = Status(MUSTER_DATA_LOSS, fmt::format("{} rows instead of {}", rows->size(), expected));
  }
  if (wrong.ok()) return rows;
  return Status(wrong.code(),
                fmt::format("{}: {}; {}", contender.name, wrong.cause(), last_lines(run->err)),
                fmt::format("it was started by: {}", fmt::join(command, " ")));
}

}  // namespace muster::cli
