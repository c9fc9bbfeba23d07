#include "tests/kit/check/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace muster::check {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t asked_to_end = 0;
void ask_to_end(int) { asked_to_end = 1; }

[[noreturn]] void become(const Command& command) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int in = open("/dev/null", O_RDONLY);
  const int out = open(command.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = open(command.err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  for (const auto& [name, value] : command.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : command.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

// Whether it has ended by then.
bool ends_until(pid_t child, Clock::time_point until, int& status, bool ending) {
  auto pause = std::chrono::microseconds(500);
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > until || (asked_to_end != 0 && !ending)) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(10000));
  }
  return true;
}

}  // namespace

void end_with_children() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, ask_to_end);
}

Ended run_child(const Command& command, uint64_t limit_ms) {
  const pid_t child = fork();
  if (child == 0) become(command);
  Ended ended;
  int status = 0;
  if (!ends_until(child, Clock::now() + std::chrono::milliseconds(limit_ms), status, false)) {
    ended.overdue = true;
    // A launcher ends its ranks before itself, if it is let.
    kill(-child, SIGTERM);
    if (!ends_until(child, Clock::now() + std::chrono::seconds(2), status, true)) {
      kill(-child, SIGKILL);
      waitpid(child, &status, 0);
    }
  }
  kill(-child, SIGKILL);
  if (asked_to_end != 0) throw std::runtime_error("it was asked to end before all cases were run");
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace muster::check
