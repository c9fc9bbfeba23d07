#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/discover/probe_child.hpp"
#include "tests/unit/discover/test_directory.hpp"

namespace muster {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Probe : public PluginDirectory {
 protected:
  FoundPlugin probed(const std::string& name) {
    put(name);
    return find_one();
  }
};

TEST_F(Probe, GivenAGoodPluginWhenProbedThenItsFactsComeFromAnotherProcess) {
  const FoundPlugin found = probed("good");
  EXPECT_EQ(found.state, PluginState::kUsable) << found.reason;
  EXPECT_EQ(found.reason, "");
  EXPECT_NE(found.facts.at("pid"), std::to_string(getpid()));
  EXPECT_EQ(found.facts.at("bind_now"), "1");
  EXPECT_EQ(traces("good"), 1u);
}

TEST_F(Probe, GivenAPluginThatDeclinesWhenProbedThenItsCauseAndRemedyAreKept) {
  const FoundPlugin found = probed("unavailable");
  EXPECT_EQ(found.state, PluginState::kUnavailable);
  EXPECT_EQ(found.stage, Stage::kProbe);
  EXPECT_THAT(found.reason, AllOf(HasSubstr("no device /dev/acme0"), HasSubstr("load the module")));
}

TEST_F(Probe, GivenFilesThatCannotBeOpenedWhenProbedThenTheTrueCauseIsNamed) {
  FoundPlugin found = probed("unresolved");
  EXPECT_EQ(found.state, PluginState::kQuarantined);
  EXPECT_EQ(found.stage, Stage::kLoad);
  EXPECT_THAT(found.reason, HasSubstr("a_function_that_nobody_has"));
  unlink(found.path.c_str());
  found = probed("missing_dependency");
  EXPECT_EQ(found.state, PluginState::kQuarantined);
  EXPECT_THAT(found.reason, HasSubstr("libdiscover_test_dependency.so"));
}

TEST_F(Probe, GivenPluginsThatCrashWhenProbedThenSignalAndStepAreNamed) {
  const std::vector<std::tuple<std::string, int, std::string>> cases = {
      {"crash_constructor", SIGSEGV, "load"},
      {"crash_open", SIGABRT, "open"},
      {"crash_probe", SIGFPE, "probe"}};
  for (const auto& [name, number, step] : cases) {
    const FoundPlugin found = probed(name);
    EXPECT_EQ(found.state, PluginState::kQuarantined) << name;
    EXPECT_THAT(found.reason,
                AllOf(HasSubstr("signal " + std::to_string(number)), HasSubstr("in step " + step)));
    unlink(found.path.c_str());
  }
}

TEST_F(Probe, GivenAPluginThatExitsWhenProbedThenTheExitCodeIsNamed) {
  EXPECT_THAT(probed("exit_probe").reason, HasSubstr("exit code 7 in step probe"));
}

TEST_F(Probe, GivenAPluginThatHangsWhenProbedThenItIsEndedAtTheBudget) {
  config.plugins_probe_timeout_ms.value = 1000;
  const FoundPlugin found = probed("hang_probe");
  EXPECT_EQ(found.state, PluginState::kQuarantined);
  EXPECT_THAT(found.reason, AllOf(HasSubstr("1000 ms"), HasSubstr("in step probe")));
}

TEST_F(Probe, GivenPluginsThatBreakTheContractWhenProbedThenTheyAreQuarantined) {
  FoundPlugin found = probed("no_table");
  EXPECT_EQ(found.state, PluginState::kQuarantined);
  EXPECT_THAT(found.reason, HasSubstr("gives no such table"));
  unlink(found.path.c_str());
  found = probed("wrong_fact");
  EXPECT_EQ(found.state, PluginState::kQuarantined);
  EXPECT_THAT(found.reason, HasSubstr("Not A Key"));
}

TEST_F(Probe, GivenProbingInThisProcessWhenProbedThenTheFactsAreFromHere) {
  config.plugins_probe.value = ProbeMode::kInProcess;
  EXPECT_EQ(probed("good").facts.at("pid"), std::to_string(getpid()));
}

TEST_F(Probe, GivenNoProbingWhenFoundThenItIsUsableAndNothingWasOpened) {
  config.plugins_probe.value = ProbeMode::kNever;
  const FoundPlugin found = probed("hang_probe");
  EXPECT_EQ(found.state, PluginState::kUsable);
  EXPECT_EQ(traces(), 0u);
}

TEST_F(Probe, GivenAProgramThatCannotBeStartedWhenProbedThenNothingIsKnown) {
  const ProbeReport report = probe_in_child(root + "/no-such-program", put("good"), 1000);
  EXPECT_EQ(report.verdict, ProbeVerdict::kNotProbed);
  EXPECT_THAT(report.reason, HasSubstr("No such file"));
}

TEST_F(Probe, GivenAProgramThatIsNoProbeWhenProbedThenNothingIsKnown) {
  const ProbeReport report = probe_in_child("/bin/true", put("good"), 1000);
  EXPECT_EQ(report.verdict, ProbeVerdict::kNotProbed) << report.reason;
}

TEST_F(Probe, GivenAnAnswerWithoutEndWhenProbedThenThePluginIsAtFaultAndNotWhoEndedTheProbe) {
  const std::string program = root + "/endless";
  std::ofstream(program) << "#!/bin/sh\nexec cat /dev/zero >&3\n";
  chmod(program.c_str(), 0755);
  const ProbeReport report = probe_in_child(program, put("good"), 60'000);
  EXPECT_EQ(report.verdict, ProbeVerdict::kBroken);
  EXPECT_THAT(report.reason, HasSubstr("longer than"));
}

TEST(ProbeEnvironment, GivenAnMpiJobWhenScrubbedThenNothingOfItRemains) {
  const char* const before[] = {"PATH=/bin",
                                "OMPI_COMM_WORLD_RANK=3",
                                "PMIX_RANK=3",
                                "PMI_RANK=3",
                                "MPIR_CVAR=1",
                                "LD_PRELOAD=/x.so",
                                "LD_BIND_NOW=",
                                "HOME=/root",
                                "LD_LIBRARY_PATH=/opt",
                                "CUDA_VISIBLE=0",
                                nullptr};
  EXPECT_EQ(probe_environment(before),
            (std::vector<std::string>{"PATH=/bin", "HOME=/root", "LD_LIBRARY_PATH=/opt",
                                      "CUDA_VISIBLE=0", "LD_BIND_NOW=1"}));
}

TEST_F(Probe, GivenAnMpiJobWhenProbedThenThePluginSeesNoneOfIt) {
  setenv("OMPI_COMM_WORLD_RANK", "3", 1);
  const FoundPlugin found = probed("good");
  unsetenv("OMPI_COMM_WORLD_RANK");
  EXPECT_EQ(found.facts.at("mpi_rank"), "none");
}

std::atomic<int> child_signals{0};

// A program with a SIGCHLD handler and threads in wait(-1) must not notice.
TEST_F(Probe, GivenAProgramThatWaitsForItsChildrenWhenProbedThenItSeesNone) {
  struct sigaction handler {};
  struct sigaction before {};
  child_signals = 0;
  handler.sa_handler = [](int) { ++child_signals; };
  sigaction(SIGCHLD, &handler, &before);
  // A child of the program's own, so that wait(-1) has something to wait for.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t own = fork();
  if (own == 0) {
    close(ends[1]);
    char byte = 0;
    _exit(read(ends[0], &byte, 1) == 0 ? 5 : 6);
  }
  close(ends[0]);
  pid_t seen = 0;
  int status = 0;
  std::thread waiter([&] { seen = waitpid(-1, &status, 0); });
  put("good");
  put("crash_probe");
  config.plugins_probe_timeout_ms.value = 2000;
  put("hang_probe");
  const std::vector<FoundPlugin> found = find();
  EXPECT_EQ(child_signals.load(), 0);
  close(ends[1]);
  waiter.join();
  sigaction(SIGCHLD, &before, nullptr);
  EXPECT_EQ(seen, own);
  EXPECT_EQ(WEXITSTATUS(status), 5);
  EXPECT_EQ(waitpid(-1, nullptr, __WALL), -1) << "a process of the probe was left";
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].state, PluginState::kUsable) << found[1].reason;
}

TEST_F(Probe, GivenAProgramThatIgnoresChildrenWhenProbedThenTheCrashIsStillSeen) {
  const auto before = signal(SIGCHLD, SIG_IGN);
  EXPECT_THAT(probed("crash_probe").reason, HasSubstr("signal 8"));
  signal(SIGCHLD, before);
}

size_t open_descriptors() {
  size_t count = 0;
  DIR* const stream = opendir("/proc/self/fd");
  while (readdir(stream) != nullptr) ++count;
  closedir(stream);
  return count;
}

TEST_F(Probe, GivenProbesWhenDoneThenNoDescriptorIsLeft) {
  put("good");
  put("crash_probe");
  find();
  const size_t before = open_descriptors();
  unlink((plugins + "/good.so").c_str());
  put("other");
  find();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Probe, GivenManyThreadsWhenTheyDiscoverThenEachPluginIsProbedOnce) {
  put("good");
  std::vector<std::thread> threads;
  std::atomic<int> usable{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const std::vector<FoundPlugin> found = find();
      if (found.size() == 1 && found[0].state == PluginState::kUsable) ++usable;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(usable.load(), 4);
  EXPECT_EQ(traces("good"), 1u);
}

}  // namespace
}  // namespace muster
