// `muster replay WORKLOAD`: the collectives that a published model makes per step, run, checked and
// timed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/base/names.hpp"
#include "core/base/units.hpp"
#include "core/cli/command.hpp"
#include "core/cli/routing.hpp"
#include "core/cli/session.hpp"
#include "core/cli/workload.hpp"

namespace muster::cli {
namespace {

struct Options {
  RankOptions ranks;
  std::string workload;
  uint64_t tokens = 0;
  std::vector<std::string> layout;
  std::vector<std::string> set;
  uint64_t seed = 1;
  bool json = false;
  bool list = false;
};

struct Row {
  const Step* step = nullptr;
  std::string backend;
  uint64_t bytes = 0;
  double total_us = 0;
  uint64_t wrong = 0;
  std::string what_was_wrong;
};

Result<WorkloadRun> run_of(const Workload& workload, const Options& options, uint32_t ranks) {
  std::map<std::string, uint64_t> given = {{"ranks", ranks}};
  if (options.tokens != 0) given["tokens"] = options.tokens;
  for (const auto& [option, assignments] :
       {std::pair{"--layout", &options.layout}, std::pair{"--set", &options.set}}) {
    for (const std::string& assignment : *assignments) {
      const size_t equals = assignment.find('=');
      Result<uint64_t> value =
          parse_bytes(equals == std::string::npos ? "" : assignment.substr(equals + 1));
      if (!value.ok()) {
        return Status(MUSTER_INVALID_ARGUMENT,
                      fmt::format("{} {} is not NAME=NUMBER", option, assignment),
                      "for example tp=2");
      }
      given[assignment.substr(0, equals)] = *value;
    }
  }
  return evaluate(workload, given);
}

Exercise exercise_of(const Step& step, const muster_group* group, uint64_t seed) {
  const uint32_t rank = muster_group_rank(group);
  const uint32_t size = muster_group_size(group);
  if (step.route == Route::kNone) {
    return {step.op, step.dtype, step.redop, step.count, rank, size};
  }
  const std::vector<uint64_t> copies =
      route_tokens(step.tokens, step.experts, step.choices, size, seed);
  std::vector<uint64_t> elements(copies.size());
  for (uint32_t from = 0; from < size; ++from) {
    for (uint32_t to = 0; to < size; ++to) {
      const uint64_t there = copies[uint64_t{from} * size + to];
      // What was dispatched comes back.
      const uint64_t at =
          step.route == Route::kDispatch ? uint64_t{from} * size + to : uint64_t{to} * size + from;
      elements[at] = there * step.count;
    }
  }
  return Exercise::routed(step.dtype, elements, rank, size);
}

Result<Row> replay_step(Session& session, const Options& options, const std::string& backend,
                        const muster_layout_sizes& layout, const Step& step) {
  Result<muster_group*> group = session.role_group(backend, layout, step.role);
  if (!group.ok()) return group.take_status();
  Exercise exercise = exercise_of(step, *group, options.seed);
  Row row;
  row.step = &step;
  row.bytes = exercise.bytes();
  Result<std::string> served = session.backend_of(*group, exercise.call());
  if (!served.ok()) return served.take_status();
  row.backend = *served;
  Result<Checked> checked = session.check(*group, exercise, 1);
  if (!checked.ok()) return checked.take_status();
  row.wrong = checked->wrong;
  row.what_was_wrong = checked->text();
  Result<double> total = session.time_all(*group, exercise, step.repeat);
  if (!total.ok()) return total.take_status();
  row.total_us = *total;
  return row;
}

void print_row(const Row& row) {
  const Step& step = *row.step;
  std::puts(fmt::format("{:<24} {:<15} {:>6} {:>4} {:>11} {:>6} {:>11.2f} {:>12.1f} {:>8}  {}",
                        step.name, op_name(step.op), dtype_name(step.dtype),
                        op_reduces(step.op) ? redop_name(step.redop) : "-", row.bytes, step.repeat,
                        row.total_us / static_cast<double>(step.repeat), row.total_us,
                        fmt::format("wrong {}", row.wrong), row.backend)
                .c_str());
  std::fflush(stdout);
}

int run_rank(const Options& options, const Workload& workload) {
  auto session = Session::open(options.ranks);
  if (!session.ok()) return fail(session.status());
  Session& s = **session;
  Result<WorkloadRun> replay = run_of(workload, options, s.size());
  if (!replay.ok()) return fail(replay.status());
  std::vector<std::string> backends = options.ranks.backends;
  if (backends.empty()) backends.emplace_back();
  if (s.prints() && !options.json) {
    std::puts(
        fmt::format("# {} | {} ranks ({}), bootstrap {} | one step, every collective checked, then "
                    "timed",
                    workload.title, s.size(), replay->layout_text, s.bootstrap())
            .c_str());
    std::puts(fmt::format("{:<24} {:<15} {:>6} {:>4} {:>11} {:>6} {:>11} {:>12} {:>8}  {}",
                          "# collective", "operation", "type", "op", "bytes", "times", "each (us)",
                          "total (us)", "", "backend")
                  .c_str());
  }
  nlohmann::ordered_json json = {{"schema", "muster.replay/1"},
                                 {"workload", workload.name},
                                 {"ranks", s.size()},
                                 {"layout", replay->layout_text},
                                 {"seed", options.seed},
                                 {"bootstrap", s.bootstrap()},
                                 {"rows", nlohmann::ordered_json::array()}};
  uint64_t wrong = 0;
  double total = 0;
  for (const std::string& backend : backends) {
    for (const Step& step : replay->steps) {
      Result<Row> row = replay_step(s, options, backend, replay->layout, step);
      if (!row.ok()) return fail(row.status());
      wrong += row->wrong;
      total += row->total_us;
      if (!s.prints()) continue;
      if (!row->what_was_wrong.empty()) {
        std::fputs(
            fmt::format("muster: '{}' ({} {}) by {} is wrong: {}\n", step.name, op_name(step.op),
                        dtype_name(step.dtype), row->backend, row->what_was_wrong)
                .c_str(),
            stderr);
      }
      if (!options.json) print_row(*row);
      json["rows"].push_back({{"name", step.name},
                              {"op", op_name(step.op)},
                              {"role", muster_role_name(step.role)},
                              {"group_size", step.group_size},
                              {"dtype", dtype_name(step.dtype)},
                              {"bytes", row->bytes},
                              {"repeat", step.repeat},
                              {"total_us", row->total_us},
                              {"wrong", row->wrong},
                              {"what_was_wrong", row->what_was_wrong},
                              {"backend", row->backend}});
    }
  }
  if (s.prints() && options.json) {
    json["total_us"] = total;
    json["wrong"] = wrong;
    std::puts(json_text(json, 2).c_str());
  } else if (s.prints()) {
    std::puts(fmt::format("# step {:.1f} us in collectives | wrong {}{}", total, wrong,
                          wrong == 0 ? "" : "  FAILED")
                  .c_str());
  }
  return wrong == 0 ? kOk : kFailed;
}

int run(const Options& options, const Context& context) {
  const std::vector<std::string> directories = workload_directories();
  const std::vector<std::string> names = list_workloads(directories);
  if (options.list && options.json) {
    const nlohmann::ordered_json json = {{"schema", "muster.workloads/1"}, {"workloads", names}};
    std::puts(json_text(json, 2).c_str());
    return kOk;
  }
  if (options.list) {
    for (const std::string& name : names) std::puts(name.c_str());
    return kOk;
  }
  if (options.workload.empty()) {
    std::fputs(fmt::format("muster: name a workload: {}\n", fmt::join(names, ", ")).c_str(),
               stderr);
    return kUsage;
  }
  Result<Workload> workload = load_workload(options.workload, directories);
  if (!workload.ok()) return fail(workload.status());
  if (!is_launched_rank()) {
    // Mistakes in the variables are told once, before any rank starts.
    Result<WorkloadRun> replay = run_of(*workload, options, options.ranks.ranks);
    if (!replay.ok()) return fail(replay.status());
    return start_ranks(options.ranks, options.json, context);
  }
  return run_rank(options, *workload);
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("replay", "Run the collectives that a published model makes per step");
  verb->add_option("workload", options->workload, "A workload's name, or a file");
  add_rank_options(*verb, options->ranks);
  verb->add_option("--tokens", options->tokens, "Tokens of the step (default: the workload's)")
      ->check(CLI::Range(1, 1'000'000'000));
  verb->add_option("--layout", options->layout,
                   "Sizes of the layout, NAME=NUMBER: tp=2,ep=2 (default: the workload's)")
      ->delimiter(',');
  verb->add_option("--seed", options->seed, "Of the experts that tokens are sent to")
      ->capture_default_str();
  verb->add_option("--set", options->set, "Further variables of the workload, NAME=NUMBER")
      ->delimiter(',');
  verb->add_flag("--list", options->list, "Print the workloads");
  verb->add_flag("--json", options->json, "Print JSON (muster.replay/1)");
  verb->callback([&context, options] {
    context.run = [&context, options] { return run(*options, context); };
  });
}

}  // namespace muster::cli
