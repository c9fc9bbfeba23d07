#include "core/cli/ranks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/arguments.hpp"
#include "core/base/json_text.hpp"
#include "core/base/names.hpp"
#include "core/bootstrap/launcher.hpp"
#include "core/cli/survey.hpp"
#include "muster/bootstrap.h"

namespace muster::cli {
namespace {

// "" when every named backend can be connected by muster's launcher; else the one that cannot.
Result<std::string> backend_with_own_launcher(const RankOptions& options) {
  if (options.backends.empty()) {
    // A mistake in a file is told once, before any rank starts.
    Result<Config> config = load_config(config_inputs_of_process(options.config_file));
    if (!config.ok()) return config.take_status();
    return std::string();
  }
  auto survey = take_survey(false, options.config_file);
  if (!survey.ok()) return survey.take_status();
  for (const std::string& id : options.backends) {
    const auto found =
        std::find_if((*survey)->found.begin(), (*survey)->found.end(),
                     [&](const FoundPlugin& plugin) { return plugin.entry.id == id; });
    if (found == (*survey)->found.end()) {
      return Status(MUSTER_NOT_FOUND, fmt::format("no plugin has the id '{}'", id),
                    "muster list shows the ids");
    }
    if (found->entry.gives(MUSTER_BOOTSTRAP_INTERFACE)) return id;
  }
  return std::string();
}

int print_launch(const std::vector<std::string>& command, bool json) {
  if (json) {
    const nlohmann::ordered_json out = {{"schema", "muster.launch/1"}, {"command", command}};
    std::puts(json_text(out, 2).c_str());
  } else {
    std::puts(fmt::format("{}", fmt::join(command, " ")).c_str());
  }
  return kOk;
}

std::vector<std::string> mpirun_command(uint32_t ranks, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"mpirun", "-n", std::to_string(ranks), "--oversubscribe"};
  if (geteuid() == 0) all.emplace_back("--allow-run-as-root");
  // More ranks than cores must not spin against each other.
  all.insert(all.end(), {"--mca", "mpi_yield_when_idle", "1"});
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace

void add_rank_options(CLI::App& verb, RankOptions& options) {
  verb.add_option("--ranks,-n", options.ranks, "How many ranks to start on this machine")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb.add_option("--backend", options.backends, "Backends to run one after the other, by id")
      ->delimiter(',');
  verb.add_flag("--dry-run", options.dry_run, "Print the command that would start the ranks");
  verb.add_option(
      "--fault", options.fault,
      "RANK:OPERATION; flip one element of the first result of that operation on that rank "
      "(shm only, shows that checks notice)");
  verb.add_option("--config", options.config_file, "Read this configuration file after all others");
}

bool is_launched_rank() {
  return std::getenv("MUSTER_LOCAL_RANK") != nullptr ||
         std::getenv("OMPI_COMM_WORLD_RANK") != nullptr || std::getenv("PMIX_RANK") != nullptr;
}

std::string group_name_for(const std::string& backend, uint32_t variant) {
  const std::string name = backend.empty() ? "cli" : "cli-" + backend;
  return variant == 0 ? name : fmt::format("{}-{}", name, variant);
}

std::string rank_config(const RankOptions& options) {
  std::string toml;
  for (const std::string& id : options.backends) {
    toml += fmt::format("[[rule]]\ngroup = \"{}*\"\nprefer = [\"{}\"]\n", group_name_for(id), id);
  }
  if (const size_t colon = options.fault.find(':'); colon != std::string::npos) {
    // The known-answer test would notice, and take the backend out before anything runs.
    toml += "[check]\nknown_answer = false\n";
    toml +=
        fmt::format("[backend.shm]\noptions = {{ fault_flip_rank = {}, fault_flip_op = \"{}\" }}\n",
                    options.fault.substr(0, colon), options.fault.substr(colon + 1));
  }
  return toml;
}

int start_ranks(const RankOptions& options, bool json, const Context& context) {
  if (!options.fault.empty()) {
    const size_t colon = options.fault.find(':');
    uint32_t rank = 0;
    const char* const end = options.fault.data() + std::min(colon, options.fault.size());
    const auto [stop, error] = std::from_chars(options.fault.data(), end, rank);
    if (colon == std::string::npos || error != std::errc() || stop != end ||
        !op_from_name(options.fault.substr(colon + 1))) {
      std::fprintf(stderr, "muster: --fault %s is not RANK:OPERATION, for example 1:all_reduce\n",
                   options.fault.c_str());
      return kUsage;
    }
    if (rank >= options.ranks) {
      std::fprintf(stderr, "muster: --fault %s names rank %u of 0 to %u\n", options.fault.c_str(),
                   rank, options.ranks - 1);
      return kUsage;
    }
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<std::string> command = context.arguments;
  if (!error) command[0] = self.string();
  std::erase(command, "--dry-run");
  Result<std::string> own_launcher = backend_with_own_launcher(options);
  if (!own_launcher.ok()) return fail(own_launcher.status());
  if (own_launcher->empty()) {
    if (options.dry_run) {
      std::vector<std::string> own = {command[0], "run", "-n", std::to_string(options.ranks), "--"};
      own.insert(own.end(), command.begin(), command.end());
      return print_launch(own, json);
    }
    LaunchOptions launch_options;
    launch_options.command = command;
    launch_options.ranks = options.ranks;
    return launch(launch_options);
  }
  const std::vector<std::string> mpirun = mpirun_command(options.ranks, command);
  if (options.dry_run) return print_launch(mpirun, json);
  execvp(mpirun.front().c_str(), pointers_to(mpirun).data());
  return fail(Status(MUSTER_UNAVAILABLE,
                     fmt::format("backend {} is launched by mpirun, which cannot be run: {}",
                                 *own_launcher, std::strerror(errno)),
                     "install Open MPI's launcher (Debian: openmpi-bin)"));
}

}  // namespace muster::cli
