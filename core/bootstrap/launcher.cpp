#include "core/bootstrap/launcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "core/bootstrap/child_process.hpp"
#include "core/bootstrap/line_prefixer.hpp"
#include "core/bootstrap/local_server.hpp"

namespace muster {
namespace {

using Clock = std::chrono::steady_clock;

// Whether or not anybody listens.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  std::fputs(fmt::format(format, std::forward<Args>(args)...).c_str(), stderr);
}

// Takes the launcher's signals out of the ordinary way for as long as it lives.
class SignalQueue {
 public:
  SignalQueue() {
    sigset_t taken;
    sigemptyset(&taken);
    for (int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&taken, number);
    pthread_sigmask(SIG_BLOCK, &taken, &mask_before_);
    struct sigaction ordinary = {};
    ordinary.sa_handler = SIG_DFL;  // an ignored SIGCHLD would reap the children unseen
    sigaction(SIGCHLD, &ordinary, &child_before_);
    fd_ = UniqueFd(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~SignalQueue() {
    while (next()) {
    }
    sigaction(SIGCHLD, &child_before_, nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  }
  int fd() const { return fd_.get(); }
  const sigset_t& mask_before() const { return mask_before_; }
  std::optional<signalfd_siginfo> next() {
    signalfd_siginfo info;
    if (read(fd_.get(), &info, sizeof(info)) != sizeof(info)) return std::nullopt;
    return info;
  }

 private:
  UniqueFd fd_;
  sigset_t mask_before_;
  struct sigaction child_before_;
};

class Launch {
 public:
  explicit Launch(const LaunchOptions& options) : options_(options), children_(options.ranks) {}
  ~Launch() {
    for (Child& child : children_) {
      if (child.pid <= 0) continue;
      kill(child.pid, SIGKILL);
      while (waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }

  Status start() {
    auto server = LocalServer::create(options_.ranks);
    if (!server.ok()) return server.take_status();
    server_ = std::move(*server);
    for (uint32_t rank = 0; rank < options_.ranks; ++rank) MUSTER_TRY(start(rank));
    return Status();
  }

  int serve_until_over() {
    while (running() > 0) {
      wait_for_something();
      server_->serve();
      while (auto signal = signals_.next()) forward(*signal);
      for (uint32_t rank = 0; rank < options_.ranks; ++rank) reap(rank);
      stop_stragglers();
    }
    for (LinePrefixer& output : outputs_) output.finish();
    return exit_code_;
  }

 private:
  struct Child {
    pid_t pid = 0;  // 0 once it was waited for
    bool stopped = false;
  };

  Status start(uint32_t rank) {
    auto socket = server_->connect_rank(rank);
    if (!socket.ok()) return socket.take_status();
    ChildOptions child{.command = options_.command,
                       .environment = options_.environment,
                       .inherited_fd = socket->get(),
                       .signal_mask = signals_.mask_before()};
    child.environment.emplace_back("MUSTER_LOCAL_FD", std::to_string(socket->get()));
    child.environment.emplace_back("MUSTER_LOCAL_RANK", std::to_string(rank));
    child.environment.emplace_back("MUSTER_LOCAL_SIZE", std::to_string(options_.ranks));
    UniqueFd nothing;
    if (rank > 0) {
      nothing = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
      child.standard_fds[0] = nothing.get();
    }
    UniqueFd outputs[2];
    for (int i = 0; options_.prefix_output && i < 2; ++i) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) return Status(MUSTER_RESOURCE_EXHAUSTED, "no pipe is left");
      outputs_.emplace_back(UniqueFd(ends[0]), i + 1, fmt::format("[{}] ", rank));
      outputs[i] = UniqueFd(ends[1]);
      child.standard_fds[i + 1] = ends[1];
    }
    Result<pid_t> pid = start_child(child);
    if (!pid.ok()) return pid.take_status();
    children_[rank].pid = *pid;
    return Status();
  }

  size_t running() const {
    return std::count_if(children_.begin(), children_.end(),
                         [](const Child& child) { return child.pid > 0; });
  }

  void wait_for_something() {
    std::vector<pollfd> fds;
    fds.push_back({.fd = server_->epoll_fd(), .events = POLLIN, .revents = 0});
    fds.push_back({.fd = signals_.fd(), .events = POLLIN, .revents = 0});
    for (LinePrefixer& output : outputs_) {
      fds.push_back({.fd = output.fd(), .events = POLLIN, .revents = 0});
    }
    // Bounded: another thread of the process may have taken the signal of a child's end.
    poll(fds.data(), fds.size(), 200);
    std::erase_if(outputs_, [&](LinePrefixer& output) {
      if (output.copy()) return false;
      output.finish();
      return true;
    });
  }

  void forward(const signalfd_siginfo& signal) {
    if (signal.ssi_signo == SIGCHLD) return;
    // The terminal sends to its whole foreground group, the children included.
    if (signal.ssi_code == SI_KERNEL) return;
    for (const Child& child : children_) {
      if (child.pid > 0) kill(child.pid, static_cast<int>(signal.ssi_signo));
    }
  }

  void reap(uint32_t rank) {
    Child& child = children_[rank];
    int status = 0;
    if (child.pid <= 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) return;
    pid_t pid = std::exchange(child.pid, 0);
    bool killed = WIFSIGNALED(status);
    int code = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    std::string end = killed ? fmt::format("was killed by signal {} ({})", WTERMSIG(status),
                                           strsignal(WTERMSIG(status)))
                             : fmt::format("exited with code {}", code);
    server_->lose(rank, fmt::format("its process {} {}", pid, end));
    if (code == 0 || child.stopped) return;
    say("rank {} (pid {}) {}\n", rank, pid, end);
    if (exit_code_ != 0) return;
    exit_code_ = code;
    first_failed_ = rank;
    stop_at_ = Clock::now() + options_.grace;
  }

  void stop_stragglers() {
    if (!stop_at_ || Clock::now() < *stop_at_) return;
    for (uint32_t rank = 0; rank < options_.ranks; ++rank) {
      Child& child = children_[rank];
      if (child.pid <= 0) continue;
      if (!child.stopped) {
        say("rank {} (pid {}) is stopped: it has not ended {} ms after rank {}\n", rank, child.pid,
            options_.grace.count(), first_failed_);
      }
      kill(child.pid, child.stopped ? SIGKILL : SIGTERM);
      child.stopped = true;
    }
    stop_at_ = Clock::now() + options_.kill_after;
  }

  const LaunchOptions& options_;
  SignalQueue signals_;
  std::unique_ptr<LocalServer> server_;
  std::vector<Child> children_;
  std::vector<LinePrefixer> outputs_;
  int exit_code_ = 0;
  uint32_t first_failed_ = 0;
  std::optional<Clock::time_point> stop_at_;
};

}  // namespace

int launch(const LaunchOptions& options) {
  if (options.command.empty() || options.ranks == 0) {
    say("muster run: {}\n",
        options.ranks == 0 ? "0 ranks; give at least one" : "there is no program to run");
    return 2;
  }
  std::fflush(nullptr);  // what is buffered here must not be written by the children again
  Launch launch(options);
  Status started = launch.start();
  if (!started.ok()) {
    say("muster run: {}; {}\n", started.cause(), started.remedy());
    return started.code() == MUSTER_NOT_FOUND ? 127 : 1;
  }
  return launch.serve_until_over();
}

}  // namespace muster
