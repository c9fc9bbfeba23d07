#include "core/discover/probe_child.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "core/discover/probe_host.hpp"
#include "core/discover/probe_process.hpp"

namespace muster {
namespace {

constexpr size_t kMostAnswer = 65536;

ProbeReport not_probed(std::string reason) {
  return {ProbeVerdict::kNotProbed, std::move(reason), false, {}};
}

bool ended_from_outside(int number) {
  return number == SIGKILL || number == SIGINT || number == SIGTERM || number == SIGHUP ||
         number == SIGQUIT;
}

ProbeReport judge_run(const ProbeProcess& run, const std::string& program,
                      std::string_view answer) {
  if (run.error != 0) {
    return not_probed(
        fmt::format("{} could not be started: {}", program, std::strerror(run.error)));
  }
  if (run.used == run.capacity) {
    return {ProbeVerdict::kBroken,
            fmt::format("it disturbed the probe: the answer is longer than {} bytes", run.capacity),
            false,
            {}};
  }
  // Step letters, then one line of JSON.
  const size_t brace = std::min(answer.find('{'), answer.size());
  const std::string_view steps = answer.substr(0, brace);
  if (answer.ends_with('\n')) {
    answer.remove_prefix(brace);
    if (std::optional<ProbeReport> report = read_report(answer)) return *report;
    return {ProbeVerdict::kBroken, "it disturbed the probe: the answer cannot be read", false, {}};
  }
  if (steps.empty()) {
    return not_probed(fmt::format("{} ended before it looked at the plugin (wait status {:#x})",
                                  program, static_cast<unsigned>(run.wait_status)));
  }
  const auto step = static_cast<ProbeStep>(steps.back());
  const bool loading = step == ProbeStep::kStart || step == ProbeStep::kLoad;
  if (run.overdue) {
    return {ProbeVerdict::kHung,
            fmt::format("it did not return within {} ms, in step {}", run.budget_ns / 1'000'000,
                        probe_step_name(step)),
            loading,
            {}};
  }
  if (WIFSIGNALED(run.wait_status)) {
    const int number = WTERMSIG(run.wait_status);
    const char* const name = sigdescr_np(number);
    const std::string text = fmt::format("signal {} ({}) in step {}", number,
                                         name == nullptr ? "unknown" : name, probe_step_name(step));
    if (ended_from_outside(number))
      return not_probed("the probe was ended from outside by " + text);
    return {ProbeVerdict::kCrashed, "it crashed with " + text, loading, {}};
  }
  return {ProbeVerdict::kCrashed,
          fmt::format("it ended the process with exit code {} in step {}",
                      WEXITSTATUS(run.wait_status), probe_step_name(step)),
          loading,
          {}};
}

}  // namespace

std::vector<std::string> probe_environment(const char* const* environment) {
  static constexpr std::array<std::string_view, 11> kScrubbed = {
      "OMPI_",  "PMIX_", "PMI_",   "PMI2_",       "PRTE_",       "MPI",
      "I_MPI_", "MV2_",  "HYDRA_", "LD_PRELOAD=", "LD_BIND_NOW="};
  std::vector<std::string> kept;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    if (std::none_of(kScrubbed.begin(), kScrubbed.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); })) {
      kept.emplace_back(variable);
    }
  }
  kept.emplace_back("LD_BIND_NOW=1");
  return kept;
}

ProbeReport probe_in_child(const std::string& program, const std::string& plugin_path,
                           uint64_t budget_ms) {
  std::vector<std::string> variables = probe_environment(environ);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string name = program;
  std::string path = plugin_path;
  std::array<char*, 3> arguments = {name.data(), path.data(), nullptr};

  std::vector<char> answer(kMostAnswer);
  ProbeProcess run;
  run.arguments = arguments.data();
  run.environment = environment.data();
  run.budget_ns = budget_ms * 1'000'000;
  run.answer = answer.data();
  run.capacity = answer.size();
  run_probe_process(run);
  return judge_run(run, program, std::string_view(answer.data(), run.used));
}

}  // namespace muster
