#include "core/kernels/build_workers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

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

BuildOutcome read_outcome(const std::string& name, int fd, int wait_status) {
  BuildOutcome outcome{name};
  std::string text;
  char part[4096];
  for (ssize_t n = 0; (n = read(fd, part, sizeof(part))) > 0;) text.append(part, size_t(n));
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

// What compilers keep while they run. They are ended in the middle when the build is, and then
// leave it behind, so it goes with the build.
class CompilerScratch {
 public:
  CompilerScratch() {
    std::error_code error;
    std::string path =
        (std::filesystem::temp_directory_path(error) / "muster-build-XXXXXX").string();
    if (!error && mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~CompilerScratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  CompilerScratch(const CompilerScratch&) = delete;
  CompilerScratch& operator=(const CompilerScratch&) = delete;

  // For this process and those that it starts; without a directory they use the common one.
  void use() const {
    if (!path_.empty()) setenv("TMPDIR", path_.c_str(), 1);
  }

 private:
  std::string path_;
};

}  // namespace

std::vector<BuildOutcome> run_builds(const std::vector<std::string>& names, unsigned jobs,
                                     int stop_fd, const std::function<BuildOutcome(size_t)>& build,
                                     const std::function<void(const BuildOutcome&)>& done) {
  const NotedSignals noted;
  const CompilerScratch scratch;
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
      scratch.use();
      const std::string text = written(build(index));
      const ssize_t n = write(to.get(), text.data(), text.size());
      _exit(n == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    setpgid(child, child);
    workers.emplace(child, Worker{index, std::move(from)});
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
      if (waitpid(worker->first, &status, WNOHANG) != worker->first) {
        ++worker;
        continue;
      }
      finish(read_outcome(names[worker->second.index], worker->second.answer.get(), status));
      worker = workers.erase(worker);
      ended = true;
    }
    if (!ended) poll(nullptr, 0, kPauseMs);
  }
  return outcomes;
}

}  // namespace muster
