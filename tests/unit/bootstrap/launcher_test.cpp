#include "core/bootstrap/launcher.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>

#include <chrono>

#include "tests/unit/bootstrap/support.hpp"

namespace muster {
namespace {

using ::muster::testing::end_of;
using ::muster::testing::forked;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

LaunchOptions shell(uint32_t ranks, const std::string& script) {
  return {.command = {"sh", "-c", script}, .ranks = ranks};
}

bool no_children() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

class Launcher : public ::testing::Test {
 protected:
  void SetUp() override { fds_before_ = testing::open_fds(); }
  void TearDown() override {
    EXPECT_EQ(testing::open_fds(), fds_before_);
    EXPECT_TRUE(no_children());
  }
  int launch_quietly(const LaunchOptions& options) {
    CaptureStderr();
    int code = launch(options);
    said_ = GetCapturedStderr();
    return code;
  }

  size_t fds_before_ = 0;
  std::string said_;
};

TEST_F(Launcher, GivenRanksThatEndWellWhenLaunchedThenTheCodeIsZeroAndNothingIsSaid) {
  EXPECT_EQ(launch_quietly(shell(4, "exit 0")), 0);
  EXPECT_EQ(said_, "");
}

TEST_F(Launcher, GivenAWorldWhenLaunchedThenItsRanksMeet) {
  EXPECT_EQ(launch_quietly({.command = {MUSTER_LAUNCHED_RANK}, .ranks = 4}), 0);
  EXPECT_EQ(said_, "");
}

TEST_F(Launcher, GivenAKilledRankWhenOthersWaitForItThenTheyEndByThemselves) {
  EXPECT_EQ(launch_quietly({.command = {MUSTER_LAUNCHED_RANK, "lose-rank-1"}, .ranks = 3}), 137);
  EXPECT_THAT(said_,
              ContainsRegex("^rank 1 \\(pid [0-9]+\\) was killed by signal 9 \\(Killed\\)\n$"));
}

TEST_F(Launcher, GivenARankThatFailsWhenLaunchedThenItsCodeIsReturned) {
  EXPECT_EQ(launch_quietly(shell(3, "test $MUSTER_LOCAL_RANK != 1 || exit 3")), 3);
  EXPECT_THAT(said_, ContainsRegex("^rank 1 \\(pid [0-9]+\\) exited with code 3\n$"));
}

TEST_F(Launcher, GivenRanksThatIgnoreTheFailureWhenTheGraceIsOverThenTheyAreStopped) {
  LaunchOptions options = shell(3,
                                "test $MUSTER_LOCAL_RANK != 0 || exit 4; "
                                "test $MUSTER_LOCAL_RANK != 1 || trap '' TERM; "
                                "while :; do sleep 0.02; done");
  options.grace = std::chrono::milliseconds(50);
  options.kill_after = std::chrono::milliseconds(50);
  EXPECT_EQ(launch_quietly(options), 4);
  EXPECT_THAT(said_, ContainsRegex("rank 1 \\(pid [0-9]+\\) is stopped"));
  EXPECT_THAT(said_, ContainsRegex("rank 2 \\(pid [0-9]+\\) is stopped"));
}

TEST_F(Launcher, GivenAProgramThatCannotRunWhenLaunchedThenTheSystemsReasonIsSaid) {
  EXPECT_EQ(launch_quietly({.command = {"/no/such/program"}, .ranks = 2}), 127);
  EXPECT_THAT(said_, HasSubstr("cannot run '/no/such/program': No such file or directory"));
  EXPECT_EQ(launch_quietly({.command = {"/"}, .ranks = 2}), 127);
  EXPECT_THAT(said_, HasSubstr("cannot run '/': Permission denied"));
}

TEST_F(Launcher, GivenSenselessOptionsWhenLaunchedThenTheCodeIsTwo) {
  EXPECT_EQ(launch_quietly({.command = {}, .ranks = 2}), 2);
  EXPECT_THAT(said_, HasSubstr("no program"));
  EXPECT_EQ(launch_quietly(shell(0, "exit 0")), 2);
  EXPECT_THAT(said_, HasSubstr("0 ranks"));
}

TEST_F(Launcher, GivenPrefixesWhenRanksWriteThenEveryLineNamesItsRank) {
  LaunchOptions options =
      shell(2, "echo one; echo to stderr >&2; printf \"last of $MUSTER_LOCAL_RANK $EXTRA\"");
  options.prefix_output = true;
  options.environment = {{"EXTRA", "x=y"}};
  CaptureStdout();
  EXPECT_EQ(launch_quietly(options), 0);
  std::string out = GetCapturedStdout();
  for (const char* line :
       {"[0] one\n", "[1] one\n", "[0] last of 0 x=y\n", "[1] last of 1 x=y\n"}) {
    EXPECT_THAT(out, HasSubstr(line));
  }
  EXPECT_THAT(said_, HasSubstr("[1] to stderr\n"));
}

TEST_F(Launcher, GivenOnlyRankZeroReadsInputWhenOthersReadThenTheyFindNothing) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(write(ends[1], "input\n", 6), 6);
  close(ends[1]);
  pid_t launcher = forked([&] {
    dup2(ends[0], 0);
    return launch(shell(2,
                        "read line; test \"$line\" = input -a $MUSTER_LOCAL_RANK = 0 -o "
                        "\"$line\" = '' -a $MUSTER_LOCAL_RANK = 1"));
  });
  close(ends[0]);
  EXPECT_EQ(end_of(launcher), 0);
}

// A launcher in a process of its own whose ranks have said that they run.
pid_t launched(uint32_t ranks, const std::string& script) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  std::string ready = "echo x >&" + std::to_string(ends[1]) + "; ";
  pid_t launcher = forked([&] {
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    return launch(shell(
        ranks, script.substr(0, script.find('|')) + ready + script.substr(script.find('|') + 1)));
  });
  close(ends[1]);
  char byte[2];
  for (uint32_t i = 0; i < ranks; ++i) EXPECT_EQ(read(ends[0], byte, 2), 2);
  close(ends[0]);
  return launcher;
}

TEST_F(Launcher, GivenATermSignalWhenTheLauncherGetsItThenEveryRankDoes) {
  for (int signal : {SIGTERM, SIGINT}) {
    pid_t launcher = launched(3, "trap 'exit 5' TERM INT; |while :; do sleep 0.02; done");
    kill(launcher, signal);
    EXPECT_EQ(end_of(launcher), 5);
  }
}

TEST_F(Launcher, GivenAKilledLauncherWhenItIsGoneThenItsRanksAreToo) {
  // Orphans of the launcher come to this process, which can wait for their end.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  pid_t launcher = launched(3, "|exec sleep 1000");
  kill(launcher, SIGKILL);
  EXPECT_EQ(end_of(launcher), 128 + SIGKILL);
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(end_of(-1), 128 + SIGKILL);
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

TEST_F(Launcher, GivenIgnoredChildSignalsWhenLaunchedThenTheEndsAreSeenAllTheSame) {
  auto before = signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(launch_quietly(shell(2, "exit 6")), 6);
  EXPECT_EQ(signal(SIGCHLD, before), SIG_IGN);
}

}  // namespace
}  // namespace muster
