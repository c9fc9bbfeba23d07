// What the other ranks see when one is killed, or never calls.
//
//   faults SCENARIO --launch LAUNCHER     the test: starts the ranks, waits, judges
//   faults SCENARIO --report DIRECTORY    one rank of it
//
// Each surviving rank writes what it saw into a file of the directory. The test fails when a line
// is missing or not what it must be, when the world outlives the watchdog, or when a process is
// left.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/ranks/runner.hpp"
#include "tests/ranks/world.hpp"

namespace {

namespace fs = std::filesystem;
using muster::ranks::Said;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Longer than anything here takes, shorter than the group's own ten minutes.
constexpr auto kWatchdog = std::chrono::seconds(60);
constexpr const char* kMark = "RANKS_FAULTS_MARK";

enum class Way { kBlocking, kStarted, kMessage, kMemory };

struct Scenario {
  uint32_t ranks;
  uint32_t lost;  // the rank that is killed, or never calls
  bool killed;
  bool threads;
  Way way;
};

const std::map<std::string, Scenario> kScenarios = {
    {"kill", {2, 1, true, false, Way::kBlocking}},
    {"kill_started", {2, 0, true, false, Way::kStarted}},
    {"kill_message", {2, 1, true, false, Way::kMessage}},
    {"kill_one_of_three", {3, 1, true, false, Way::kBlocking}},
    {"kill_memory", {3, 1, true, false, Way::kMemory}},
    {"absent_memory", {2, 1, false, false, Way::kMemory}},
    {"absent", {2, 1, false, false, Way::kBlocking}},
    {"absent_threads", {3, 2, false, true, Way::kBlocking}},
};

// Memory of the group that comes and goes.
Said allocate_and_free(muster_group* group) {
  void* memory = nullptr;
  if (Said said = muster_mem_alloc(group, 1 << 16, MUSTER_HOST, &memory); !said.ok()) return said;
  return muster_mem_free(group, memory);
}

Said call_in(Way way, muster_group* group, std::vector<float>& in, std::vector<float>& out) {
  const uint32_t other = (muster_group_rank(group) + 1) % muster_group_size(group);
  if (way == Way::kMessage) {
    return muster_send_recv(group, in.data(), in.size(), other, out.data(), out.size(), other,
                            MUSTER_F32, nullptr);
  }
  if (way == Way::kMemory) return allocate_and_free(group);
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
  call.redop = MUSTER_SUM;
  call.send = in.data();
  call.recv = out.data();
  call.count = in.size();
  if (way == Way::kBlocking) return muster_execute(group, &call);
  muster_work* work = nullptr;
  if (Said said = muster_start(group, &call, &work); !said.ok()) return said;
  Said said = muster_work_wait(work);
  muster_work_release(work);
  return said;
}

// One rank: calls until a call fails, then writes what it saw.
int run_rank(const Scenario& scenario, const fs::path& directory, muster_runtime* runtime) {
  const uint32_t rank = muster_rank(runtime);
  muster_group* group = nullptr;
  if (const Said said = muster_group_create(runtime, nullptr, nullptr, 0, &group); !said.ok()) {
    std::fprintf(stderr, "rank %u: no group: %s\n", rank, said.message.c_str());
    return 1;
  }
  std::vector<float> in(1 << 18, 1.0f);
  std::vector<float> out(in.size());
  std::ofstream report(directory / fmt::format("rank{}", rank));
  if (rank == scenario.lost) {
    if (scenario.killed) {
      // Another thread, so that it happens anywhere in a call.
      std::thread([] {
        std::this_thread::sleep_for(milliseconds(300));
        kill(getpid(), SIGKILL);
      }).detach();
      while (call_in(scenario.way, group, in, out).ok()) {
      }
      return 1;
    }
    // Comes to nothing until the others have given up.
    const auto until = steady_clock::now() + kWatchdog;
    for (uint32_t r = 0; r < scenario.ranks; ++r) {
      while (r != rank && steady_clock::now() < until &&
             !fs::exists(directory / fmt::format("gave_up{}", r))) {
        std::this_thread::sleep_for(milliseconds(20));
      }
    }
  } else {
    Said first = nullptr;
    do {
      first = call_in(scenario.way, group, in, out);
    } while (first.ok());
    const Said second = call_in(scenario.way, group, in, out);
    std::ofstream(directory / fmt::format("gave_up{}", rank)) << "\n";
    report << "first " << muster_code_name(first.code) << ": " << first.message << '\n'
           << "second " << muster_code_name(second.code) << '\n';
  }
  report << "destroy " << muster_code_name(Said(muster_group_destroy(group)).code) << std::endl;
  return 0;
}

int run_world(const Scenario& scenario, const fs::path& directory) {
  const std::string config = scenario.killed ? "" : "[group]\ntimeout_ms = 1500\n";
  const int result = muster::ranks::run_ranks(
      scenario.threads ? scenario.ranks : 0, config,
      [&](muster_runtime* runtime) { return run_rank(scenario, directory, runtime); });
  std::ofstream(directory / fmt::format("finalized{}", getpid())) << "\n";
  return result;
}

// Processes that carry this test's mark in their environment, except for the test itself.
std::vector<std::string> marked_processes(const std::string& mark) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (pid == std::to_string(getpid())) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    std::stringstream environment;
    environment << file.rdbuf();
    if (environment.str().find(mark) != std::string::npos) found.push_back(pid);
  }
  return found;
}

// The command's exit code, or -1 when the watchdog had to end it.
int run_watched(const std::vector<std::string>& command) {
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  const auto until = steady_clock::now() + kWatchdog;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (steady_clock::now() > until) {
      kill(-child, SIGKILL);
      waitpid(child, &status, 0);
      return -1;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// What is wrong with the reports; empty when nothing is.
std::string judge(const Scenario& scenario, const fs::path& directory) {
  std::string wrong;
  const auto expect = [&](uint32_t rank, const std::string& line, const std::string& begin,
                          const std::string& part) {
    if (line.rfind(begin, 0) == 0 && line.find(part) != std::string::npos) return;
    wrong += fmt::format("rank {}: '{}' instead of '{} ... {}'\n", rank, line, begin, part);
  };
  for (uint32_t rank = 0; rank < scenario.ranks; ++rank) {
    std::ifstream file(directory / fmt::format("rank{}", rank));
    std::string first, second, destroyed;
    if (rank == scenario.lost && scenario.killed) continue;
    if (rank != scenario.lost) {
      std::getline(file, first);
      std::getline(file, second);
      const std::string code = scenario.killed ? "PEER_LOST" : "DEADLINE_EXCEEDED";
      // Calls name the group's rank, exchanges among ranks the world's alone.
      expect(
          rank, first, "first " + code,
          fmt::format("world rank {}{}", scenario.lost, scenario.way == Way::kMemory ? "" : ")"));
      expect(rank, second, "second FAILED_PRECONDITION", "");
    }
    std::getline(file, destroyed);
    expect(rank, destroyed, "destroy OK", "");
  }
  return wrong;
}

int run_test(const std::string& name, const Scenario& scenario, const std::string& launch) {
  const fs::path self = fs::read_symlink("/proc/self/exe");
  std::string pattern = (fs::temp_directory_path() / "muster-faults.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return 1;
  const fs::path directory = pattern;
  setenv(kMark, pattern.c_str(), 1);
  std::vector<std::string> command = {self, name, "--report", directory};
  if (!scenario.threads) {
    command.insert(command.begin(), {launch, std::to_string(scenario.ranks)});
  }
  const int code = run_watched(command);
  std::string wrong = judge(scenario, directory);
  const int expected = scenario.killed ? 128 + SIGKILL : 0;
  if (code != expected) {
    wrong += code < 0 ? "the ranks were still there when the watchdog came\n"
                      : fmt::format("exit code {} instead of {}\n", code, expected);
  }
  const std::vector<std::string> left = marked_processes(pattern);
  if (!left.empty()) wrong += fmt::format("processes left: {}\n", fmt::join(left, " "));
  const auto finalized = static_cast<uint32_t>(std::count_if(
      fs::directory_iterator(directory), fs::directory_iterator(),
      [](const auto& e) { return e.path().filename().string().rfind("finalized", 0) == 0; }));
  const uint32_t worlds = scenario.threads ? 1 : scenario.ranks - (scenario.killed ? 1 : 0);
  if (finalized != worlds) {
    wrong += fmt::format("{} of {} processes returned from muster_finalize\n", finalized, worlds);
  }
  for (uint32_t rank = 0; rank < scenario.ranks; ++rank) {
    std::ifstream file(directory / fmt::format("rank{}", rank));
    for (std::string line; std::getline(file, line);) fmt::print("rank {}: {}\n", rank, line);
  }
  fs::remove_all(directory);
  fmt::print("faults {}: {}\n", name, wrong.empty() ? "as it must be" : wrong);
  return wrong.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string name;
  std::string launch;
  std::string report;
  CLI::App app("What ranks see when another one is killed or never calls");
  app.add_option("scenario", name, "what happens")->required();
  app.add_option("--launch", launch, "the program that starts ranks");
  app.add_option("--report", report, "act as a rank, write to this directory");
  CLI11_PARSE(app, argc, argv);
  const auto scenario = kScenarios.find(name);
  if (scenario == kScenarios.end()) {
    fmt::print(stderr, "faults: no scenario '{}'\n", name);
    return 2;
  }
  if (!report.empty()) return run_world(scenario->second, report);
  return run_test(name, scenario->second, launch);
}
