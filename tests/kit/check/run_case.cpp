#include "tests/kit/check/run_case.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/kit/check/child.hpp"
#include "tests/kit/check/rank_file.hpp"

namespace muster::check {
namespace {

constexpr uint64_t kLauncherMs = 10000;  // that a launcher may take besides

std::string directory_of(const Setup& setup, const std::string& name) {
  return setup.root + "/" + name;
}

uint32_t ranks_of(const Case& c, const Setup& setup) {
  return c.where == Where::kRanks ? setup.ranks : 1;
}

Command command_of(const Case& c, const Setup& setup) {
  Command command;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  if (c.where == Where::kRanks && setup.mpirun) {
    command.arguments = {"mpirun", "-n", std::to_string(setup.ranks), "--oversubscribe"};
    if (geteuid() == 0) command.arguments.emplace_back("--allow-run-as-root");
    // More ranks than cores must not spin against each other.
    command.arguments.insert(command.arguments.end(), {"--mca", "mpi_yield_when_idle", "1"});
  } else if (c.where == Where::kRanks) {
    command.arguments = {setup.command, "run", "-n", std::to_string(setup.ranks), "--"};
  }
  command.arguments.insert(command.arguments.end(), {self, "--rank-of", setup.root, c.name});
  // The files of the machine have no part in this.
  command.environment = {{"XDG_CONFIG_HOME", setup.root}, {"MUSTER_CONFIG", ""}};
  command.out = directory_of(setup, c.name) + "/out";
  command.err = directory_of(setup, c.name) + "/err";
  return command;
}

// The end of what was written, as one line.
std::string tail_of(const Command& command) {
  std::string text;
  for (const std::string& name : {command.out, command.err}) {
    std::ostringstream all;
    all << std::ifstream(name).rdbuf();
    text += all.str();
  }
  if (text.size() > 300) text = "..." + text.substr(text.size() - 300);
  for (char& c : text) c = c == '\n' ? ' ' : c;
  return text.empty() ? text : " (written: " + text + ")";
}

Verdict without_verdict(const Ended& ended, const Setup& setup) {
  if (ended.overdue || ended.code == 128 + SIGALRM) {
    return {Outcome::kTimedOut, fmt::format("not done after {} ms", setup.limit_ms), {}};
  }
  if (ended.code > 128) {
    const char* const name = sigdescr_np(ended.code - 128);
    return {Outcome::kCrashed,
            fmt::format("ended by signal {} ({})", ended.code - 128,
                        name == nullptr ? "unknown" : name),
            {}};
  }
  if (ended.code == 127) return {Outcome::kFailed, "the ranks could not be started", {}};
  if (ended.code == 0) return {Outcome::kFailed, "the process ended in the middle of the case", {}};
  return {Outcome::kCrashed, fmt::format("the process ended with exit code {}", ended.code), {}};
}

// What a failure is about goes before what others saw of it.
bool is_consequence(const Verdict& verdict) {
  return verdict.detail.find("PEER_LOST") != std::string::npos ||
         verdict.detail.find("ABORTED") != std::string::npos;
}

bool weighs_more(const Verdict& a, const Verdict& b) {
  if (a.outcome != b.outcome) return a.outcome > b.outcome;
  return is_consequence(b) && !is_consequence(a);
}

Verdict of_ranks(const std::vector<Verdict>& ranks) {
  size_t worst = 0;
  for (size_t r = 1; r < ranks.size(); ++r) {
    if (weighs_more(ranks[r], ranks[worst])) worst = r;
  }
  Verdict verdict = ranks[worst];
  if (verdict.outcome == Outcome::kOk) {
    for (size_t r = 1; r < ranks.size(); ++r) {
      if (ranks[r].digest == ranks[0].digest) continue;
      return {Outcome::kFailed,
              fmt::format("rank {} has '{}' where rank 0 has '{}'", r, ranks[r].digest,
                          ranks[0].digest),
              {}};
    }
  } else if (verdict.red() && ranks.size() > 1) {
    verdict.detail = fmt::format("rank {}: {}", worst, verdict.detail);
  }
  return verdict;
}

const Case* case_named(const std::string& name) {
  for (const Case& c : catalogue()) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

}  // namespace

Verdict run_in_children(const Case& c, const Setup& setup) {
  const std::string directory = directory_of(setup, c.name);
  std::filesystem::create_directory(directory);
  const Command command = command_of(c, setup);
  const Ended ended = run_child(command, setup.limit_ms + kLauncherMs);
  std::vector<Verdict> ranks;
  for (uint32_t r = 0; r < ranks_of(c, setup); ++r) {
    std::optional<Verdict> verdict = read_verdict(directory, r);
    ranks.push_back(verdict ? *verdict : without_verdict(ended, setup));
  }
  Verdict verdict = of_ranks(ranks);
  // What happens after the case, when the process ends, is the plugin's as well.
  if (!verdict.red() && ended.code != 0) {
    verdict = without_verdict(ended, setup);
    verdict.detail += ", after the case";
  }
  if (verdict.red()) verdict.detail += tail_of(command);
  return verdict;
}

Verdict run_in_process(const Case& c, const Setup& setup) {
  const std::string directory = directory_of(setup, c.name);
  std::filesystem::create_directory(directory);
  if (c.where != Where::kRanks) return run_here(c, {setup, directory, nullptr, 0, c.argument});
  muster_threads* world = nullptr;
  muster_status* const status = muster_threads_create(setup.ranks, &world);
  if (status != nullptr) {
    const Verdict verdict{Outcome::kFailed, muster_status_message(status), {}};
    muster_status_release(status);
    return verdict;
  }
  std::vector<Verdict> ranks(setup.ranks);
  std::vector<std::thread> threads;
  for (uint32_t r = 0; r < setup.ranks; ++r) {
    threads.emplace_back([&, r] {
      ranks[r] = run_here(c, {setup, directory, world, r, c.argument});
    });
  }
  for (std::thread& thread : threads) thread.join();
  muster_threads_release(world);
  return of_ranks(ranks);
}

int rank_main(const std::string& root, const std::string& name) {
  const Setup setup = Setup::read(root);
  const Case* const c = case_named(name);
  if (c == nullptr) return 2;
  // A crash is an answer here: no core file. A hang ends by itself, whoever started it.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const itimerval limit{{0, 0},
                        {static_cast<time_t>(setup.limit_ms / 1000),
                         static_cast<suseconds_t>(setup.limit_ms % 1000 * 1000)}};
  setitimer(ITIMER_REAL, &limit, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Scene scene{setup, directory_of(setup, name), nullptr, 0, c->argument};
  const uint32_t rank = c->where == Where::kRanks ? launched_rank() : 0;
  write_verdict(scene, rank, run_here(*c, scene));
  return 0;
}

}  // namespace muster::check
