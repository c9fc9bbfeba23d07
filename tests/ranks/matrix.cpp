// The correctness matrix: every operation against a reference, on the ranks of one world.
//
//   matrix --name shm.3 [--backend ID] [--seed N] [--threads N] [--memory shared] [--case TEXT]
//
// Each rank checks its own results. A failure prints the case, with which --case repeats it. Exit
// code 1 when anything was wrong on this rank.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>

#include "tests/ranks/instruction_set.hpp"
#include "tests/ranks/runner.hpp"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/world.hpp"

namespace {

using muster::ranks::Case;
using muster::ranks::Outcome;
using muster::ranks::Place;
using muster::ranks::Runner;
using muster::ranks::Said;
using muster::ranks::SharedMemory;

struct Options {
  std::string name = "matrix";
  std::string backend;
  std::vector<std::string> without;
  std::string only;
  std::string memory = "ordinary";
  uint64_t seed = 0;
  uint32_t threads = 0;
  uint64_t repeat = 1;
  std::string single;
  std::string config;
  std::string kernels;
};

std::string quoted_list(const std::vector<std::string>& items) {
  return fmt::format("[\"{}\"]", fmt::join(items, "\", \""));
}

std::string config_of(const Options& options) {
  // A deadlock becomes a failed call that names its case.
  std::string text = "group.timeout_ms = 60000\n" + muster::ranks::kernels_config(options.kernels) +
                     options.config;
  if (!options.backend.empty()) {
    text += fmt::format("\n[[rule]]\nprefer = [\"{}\"]\n", options.backend);
  }
  if (!options.without.empty()) {
    text += fmt::format("\n[[rule]]\nop = {}\nforbid = [\"shm\", \"mpi\"]\n",
                        quoted_list(options.without));
  }
  return text;
}

std::vector<Case> cases_of(const Options& options, uint32_t size) {
  if (!options.single.empty()) {
    const auto single = muster::ranks::case_of(options.single);
    if (!single.has_value()) {
      std::fprintf(stderr, "matrix: --case '%s' is not a case\n", options.single.c_str());
      std::exit(2);
    }
    return std::vector<Case>(options.repeat, *single);
  }
  const char* const full = std::getenv("MUSTER_TEST_FULL");
  std::vector<Case> cases = full != nullptr && std::string(full) == "1"
                                ? muster::ranks::all_cases(size, options.seed)
                                : muster::ranks::pairwise_cases(size, options.seed);
  if (!options.only.empty()) {
    std::erase_if(cases, [&](const Case& c) { return muster_op_name(c.op) != options.only; });
  }
  if (options.memory == "shared") muster::ranks::place_in_shared_memory(cases);
  return cases;
}

bool served_as_asked(const Options& options, const Case& c, const std::string& backend) {
  const bool composed = backend.rfind("composed(", 0) == 0;
  const auto& without = options.without;
  if (std::find(without.begin(), without.end(), muster_op_name(c.op)) != without.end())
    return composed || backend.empty() || backend == "self";
  return options.backend.empty() || backend.empty() || backend == options.backend || composed;
}

// Calls per backend, "shm:912, composed:31".
std::string counters_text(muster_group* group) {
  std::map<std::string, uint64_t> calls;
  const auto sink = [](void* context, muster_op, const char* backend, uint64_t count, uint64_t) {
    (*static_cast<std::map<std::string, uint64_t>*>(context))[backend] += count;
  };
  Said(muster_group_counters(group, sink, &calls));
  std::string text;
  for (const auto& [backend, count] : calls) text += fmt::format(", {}:{}", backend, count);
  return text;
}

// Where the buffers of cases lie that ask for it: room for the largest ones, and for the messages
// of a batch.
std::unique_ptr<SharedMemory> shared_memory_for(const std::vector<Case>& cases,
                                                muster_group* group) {
  const bool wanted = std::any_of(cases.begin(), cases.end(),
                                  [](const Case& c) { return c.place != Place::kOrdinary; });
  if (!wanted) return nullptr;
  return std::make_unique<SharedMemory>(group, 24, uint64_t{11} << 20);
}

// Whether all memory so far was registered with the backends that were asked.
bool all_registered(const muster_runtime* runtime) {
  char* json = nullptr;
  if (!Said(muster_runtime_describe(runtime, &json)).ok()) return false;
  const std::string text = json;
  muster_text_release(json);
  return text.find("\"registered\"") != std::string::npos &&
         text.find("\"not registered\"") == std::string::npos;
}

int run_rank(const Options& options, muster_runtime* runtime) {
  const uint32_t rank = muster_rank(runtime);
  if (!muster::ranks::kernels_in_use(runtime, options.kernels)) {
    fmt::print("matrix {}: rank {}: the kernels of {} are not used\n", options.name, rank,
               options.kernels);
    return 1;
  }
  muster_group* group = nullptr;
  if (const Said said = muster_group_create(runtime, nullptr, nullptr, 0, &group); !said.ok()) {
    fmt::print("matrix {}: rank {}: no group: {}\n", options.name, rank, said.message);
    return 1;
  }
  uint64_t wrong = 0;
  uint64_t done = 0;
  bool together = true;
  {
    const std::vector<Case> cases = cases_of(options, muster_size(runtime));
    const std::unique_ptr<SharedMemory> shared = shared_memory_for(cases, group);
    if (shared != nullptr && options.backend == "shm" && !all_registered(runtime)) {
      fmt::print("matrix {}: rank {}: shm has not mapped the memory\n", options.name, rank);
      ++wrong;
    }
    Runner runner(group, shared.get());
    for (const Case& c : cases) {
      const Outcome outcome = runner.run(c);
      ++done;
      const bool as_asked = served_as_asked(options, c, outcome.backend);
      if (outcome.ok() && as_asked) continue;
      ++wrong;
      std::string text = outcome.failure;
      if (outcome.wrong.count != 0) {
        text = fmt::format("{} wrong: {}", outcome.wrong.count, outcome.wrong.first);
      }
      if (!as_asked) text += fmt::format(" (served by {})", outcome.backend);
      fmt::print("matrix {}: rank {} of {}: WRONG: {}\n  repeat with --case {}\n", options.name,
                 rank, muster_size(runtime), text, muster::ranks::text_of(c));
      together = outcome.failure.empty();
      if (!together) break;
    }
    if (!together) muster_group_abort(group);  // nobody waits for the others any more
  }
  // Of all ranks, unless they are apart.
  uint64_t all_wrong = wrong;
  const std::string counters = counters_text(group);
  if (together) {
    const Said said =
        muster_all_reduce(group, &wrong, &all_wrong, 1, MUSTER_U64, MUSTER_SUM, nullptr);
    if (!said.ok()) all_wrong = wrong + 1;
  }
  if (rank == 0) {
    fmt::print("matrix {}: {} ranks, bootstrap {}, seed {}: {} cases, {} wrong{}\n", options.name,
               muster_size(runtime), muster_bootstrap_name(runtime), options.seed, done, all_wrong,
               counters);
  }
  std::fflush(stdout);
  const Said said = muster_group_destroy(group);
  if (!said.ok()) fmt::print("matrix {}: destroy: {}\n", options.name, said.message);
  return all_wrong == 0 && said.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("The correctness matrix on the ranks of one world");
  app.add_option("--name", options.name, "what to call this run");
  app.add_option("--backend", options.backend, "prefer this backend, and require that it serves");
  app.add_option("--without", options.without, "operations that no backend may serve: composed")
      ->delimiter(',');
  app.add_option("--only", options.only, "the cases of this operation only");
  app.add_option("--seed", options.seed, "same on all ranks");
  app.add_option("--threads", options.threads, "ranks as threads of this process");
  app.add_option("--memory", options.memory, "where buffers lie")
      ->check(CLI::IsMember({"ordinary", "shared"}));
  app.add_option("--case", options.single, "one case, as printed by a failure");
  app.add_option("--repeat", options.repeat, "how often to run --case");
  app.add_option("--config", options.config, "more configuration, TOML");
  app.add_option("--kernels", options.kernels, "use the kernels of this instruction set");
  CLI11_PARSE(app, argc, argv);
  if (!muster::ranks::processor_has(options.kernels)) return muster::ranks::kSkipped;
  return muster::ranks::run_ranks(
      options.threads, config_of(options),
      [&](muster_runtime* runtime) { return run_rank(options, runtime); });
}
