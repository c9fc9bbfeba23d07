#include "core/bootstrap/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/base/arguments.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {
namespace {

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> merged;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    std::string_view text(*variable);
    std::string_view name = text.substr(0, text.find('='));
    bool replaced = std::any_of(additions.begin(), additions.end(),
                                [&](const auto& addition) { return addition.first == name; });
    if (!replaced) merged.emplace_back(text);
  }
  for (const auto& [name, value] : additions) merged.push_back(name + "=" + value);
  return merged;
}

// Between fork and exec: async-signal-safe calls only, the caller may have other threads.
[[noreturn]] void become(const ChildOptions& options, char* const* argv, char* const* envp,
                         pid_t parent, int failure_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before it could be watched
  bool ok = true;
  for (int fd = 0; fd < 3; ++fd) {
    if (options.standard_fds[fd] >= 0) ok = ok && dup2(options.standard_fds[fd], fd) >= 0;
  }
  if (options.inherited_fd >= 0) ok = ok && fcntl(options.inherited_fd, F_SETFD, 0) == 0;
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, &options.signal_mask, nullptr);
  if (ok) execvpe(argv[0], argv, envp);
  int failure = errno;
  ssize_t written = write(failure_fd, &failure, sizeof(failure));
  _exit(written == sizeof(failure) ? 127 : 126);
}

}  // namespace

Result<pid_t> start_child(const ChildOptions& options) {
  auto failed = [&](const char* what, int failure) {
    return Status(MUSTER_RESOURCE_EXHAUSTED, fmt::format("{}: {}", what, std::strerror(failure)),
                  "start fewer ranks, or raise the limits of processes and open files (ulimit)");
  };
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return failed("pipe", errno);
  UniqueFd failure_in(pipe_ends[0]);
  UniqueFd failure_out(pipe_ends[1]);
  std::vector<std::string> environment = merged_environment(options.environment);
  std::vector<char*> argv = pointers_to(options.command);
  std::vector<char*> envp = pointers_to(environment);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) return failed("fork", errno);
  if (child == 0) become(options, argv.data(), envp.data(), parent, failure_out.get());
  failure_out.reset();
  int failure = 0;
  ssize_t got;
  do {
    got = read(failure_in.get(), &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(failure)) return child;
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return Status(MUSTER_NOT_FOUND,
                fmt::format("cannot run '{}': {}", options.command[0], std::strerror(failure)),
                "give the program's path, or see whether it may be executed");
}

}  // namespace muster
