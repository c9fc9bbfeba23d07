#include "core/kernels/build_workers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "core/base/scratch_directory.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {
namespace {

volatile std::sig_atomic_t asked_to_end = 0;

void note_signal(int) { asked_to_end = 1; }

// While it lives, the signals that ask a process to end are noted instead.
class NotedSignals {
 public:
  NotedSignals() {
    asked_to_end = 0;
    struct sigaction noted {};
    noted.sa_handler = note_signal;
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &noted, &before_[i]);
    signal(SIGCHLD, SIG_DFL);  // ignored, it would take the workers' exits away
  }
  ~NotedSignals() {
    for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  static void reset() {
    for (const int number : kSignals) signal(number, SIG_DFL);
  }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[std::size(kSignals)];
};

struct Worker {
  size_t index;
  UniqueFd answer;
  std::string said;

  // Takes what is there. Also while it runs: an answer that is longer than a pipe is written only
  // as it is read.
  void hear() {
    char part[4096];
    ssize_t n = 0;
    while ((n = read(answer.get(), part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
      said.append(part, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }
};

constexpr int kPauseMs = 20;

bool readable(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  return fd >= 0 && poll(&wanted, 1, 0) > 0;
}

// "<state> <seconds> <text>"
std::string written(const BuildOutcome& outcome) {
  return fmt::format("{} {:.3f} {}", static_cast<int>(outcome.state), outcome.seconds,
                     outcome.text);
}

BuildOutcome read_outcome(const std::string& name, const std::string& text, int wait_status) {
  BuildOutcome outcome{name};
  int state = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%d %lf %n", &state, &outcome.seconds, &used) == 2) {
    outcome.state = static_cast<BuildOutcome::State>(state);
    outcome.text = text.substr(static_cast<size_t>(used));
  } else {
    outcome.text = WIFSIGNALED(wait_status)
                       ? fmt::format("the builder ended by signal {}", WTERMSIG(wait_status))
                       : "the builder ended early";
  }
  return outcome;
}

}  // namespace

std::vector<BuildOutcome> run_builds(const std::vector<std::string>& names, unsigned jobs,
                                     int stop_fd, const std::function<BuildOutcome(size_t)>& build,
                                     const std::function<void(const BuildOutcome&)>& done) {
  const NotedSignals noted;
  // What compilers keep while they run: ended in the middle, they leave it behind. Without such a
  // directory they use the common one.
  const ScratchDirectory scratch("build");
  std::vector<BuildOutcome> outcomes;
  std::map<pid_t, Worker> workers;
  const pid_t self = getpid();
  size_t next = 0;
  const auto finish = [&](BuildOutcome outcome) {
    done(outcome);
    outcomes.push_back(std::move(outcome));
  };
  const auto start = [&](size_t index) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return finish({names[index], {}, "no pipe could be made", 0});
    UniqueFd from(ends[0]), to(ends[1]);
    const pid_t child = fork();
    if (child < 0) return finish({names[index], {}, "no process could be started", 0});
    if (child == 0) {
      // A group of its own, so that it can be ended with its compiler; and not without its parent.
      setpgid(0, 0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      NotedSignals::reset();
      if (getppid() != self) _exit(1);
      if (!scratch.path().empty()) setenv("TMPDIR", scratch.path().c_str(), 1);
      const std::string answer = written(build(index));
      for (std::string_view text = answer; !text.empty();) {
        const ssize_t n = write(to.get(), text.data(), text.size());
        if (n < 0 && errno != EINTR) _exit(1);
        text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(n, 0)));
      }
      _exit(0);
    }
    setpgid(child, child);
    fcntl(from.get(), F_SETFL, O_NONBLOCK);
    workers.emplace(child, Worker{index, std::move(from), {}});
  };
  while (next < names.size() || !workers.empty()) {
    if (asked_to_end != 0 || readable(stop_fd)) {
      for (const auto& [child, worker] : workers) kill(-child, SIGKILL);
      for (const auto& [child, worker] : workers) waitpid(child, nullptr, 0);
      break;
    }
    while (next < names.size() && workers.size() < jobs) start(next++);
    bool ended = false;
    for (auto worker = workers.begin(); worker != workers.end();) {
      int status = 0;
      const bool over = waitpid(worker->first, &status, WNOHANG) == worker->first;
      worker->second.hear();  // after the look: of one that has ended, all
      if (!over) {
        ++worker;
        continue;
      }
      finish(read_outcome(names[worker->second.index], worker->second.said, status));
      worker = workers.erase(worker);
      ended = true;
    }
    if (!ended) poll(nullptr, 0, kPauseMs);
  }
  return outcomes;
}

}  // namespace muster
