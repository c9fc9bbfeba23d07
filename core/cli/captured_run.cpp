#include "core/cli/captured_run.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "core/base/unique_fd.hpp"
#include "core/bootstrap/child_process.hpp"

namespace muster::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Seldom, for the program may be measuring on the same cores.
constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::seconds kGrace{3};

UniqueFd memory_file(std::string_view content) {
  UniqueFd fd(memfd_create("muster-run", MFD_CLOEXEC));
  while (fd.get() >= 0 && !content.empty()) {
    const ssize_t n = write(fd.get(), content.data(), content.size());
    if (n <= 0) return UniqueFd();
    content.remove_prefix(static_cast<size_t>(n));
  }
  if (fd.get() >= 0) lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string content_of(const UniqueFd& fd) {
  std::string text;
  char part[4096];
  off_t at = 0;
  for (ssize_t n; (n = pread(fd.get(), part, sizeof(part), at)) > 0; at += n) {
    text.append(part, static_cast<size_t>(n));
  }
  return text;
}

// False: it still runs when the time is up.
bool wait_until(pid_t pid, Clock::time_point end, int* code) {
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return true;
    }
    if ((ended < 0 && errno != EINTR) || Clock::now() >= end) return false;
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

Result<CapturedRun> run_captured(const std::vector<std::string>& command, std::string_view input,
                                 std::chrono::seconds limit) {
  const UniqueFd in = memory_file(input);
  const UniqueFd out = memory_file({});
  const UniqueFd err = memory_file({});
  if (in.get() < 0 || out.get() < 0 || err.get() < 0) {
    return Status(MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("no memory file: {}", std::strerror(errno)));
  }
  ChildOptions options;
  options.command = command;
  options.standard_fds[0] = in.get();
  options.standard_fds[1] = out.get();
  options.standard_fds[2] = err.get();
  sigemptyset(&options.signal_mask);
  Result<pid_t> pid = start_child(options);
  if (!pid.ok()) return pid.take_status();
  CapturedRun run;
  const bool in_time = wait_until(*pid, Clock::now() + limit, &run.exit_code);
  if (!in_time) {
    // A launcher ends its ranks when it is asked to.
    kill(*pid, SIGTERM);
    if (!wait_until(*pid, Clock::now() + kGrace, &run.exit_code)) {
      kill(*pid, SIGKILL);
      waitpid(*pid, nullptr, 0);
    }
  }
  run.out = content_of(out);
  run.err = content_of(err);
  if (in_time) return run;
  return Status(MUSTER_DEADLINE_EXCEEDED,
                fmt::format("{} did not end within {} s; it printed: {}", command.front(),
                            limit.count(), run.err.empty() ? "nothing" : run.err));
}

}  // namespace muster::cli
