#include "core/discover/probe_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <memory>

#include "core/discover/probe_child.hpp"

// Runs on a borrowed thread state, on a stack that the sanitizers do not know.
#define MUSTER_BARE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

// clone by the C library's other name for it. Rationale: the thread sanitizer replaces clone by one
// that takes the new process for a fork, and marks as forked the memory that both share.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace muster {
namespace {

constexpr size_t kStackBytes = 65536;
constexpr size_t kSignalSetBytes = 8;  // of the kernel's sigset
constexpr int kSignals = 64;
constexpr uint64_t kSecond = 1'000'000'000;

// The kernel's struct sigaction is at most this long; all zero: SIG_DFL.
struct alignas(8) DefaultAction {
  uint64_t words[8];
};

MUSTER_BARE uint64_t monotonic_ns() {
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

MUSTER_BARE void default_action(int number) {
  const DefaultAction action{};
  syscall(SYS_rt_sigaction, number, &action, nullptr, kSignalSetBytes);
}

// Becomes muster-probe.
MUSTER_BARE int probe_process(void* context) {
  auto* const run = static_cast<ProbeProcess*>(context);
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (int number = 0; number < kProbeDescriptor; ++number) syscall(SYS_dup3, run->null, number, 0);
  syscall(SYS_dup3, run->write_end, kProbeDescriptor, 0);
  syscall(SYS_close_range, kProbeDescriptor + 1, ~0u, 0);
  for (int number = 1; number <= kSignals; ++number) default_action(number);
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kSignalSetBytes);
  if (syscall(SYS_execve, run->arguments[0], run->arguments, run->environment) != 0) {
    run->error = errno;
  }
  return 127;
}

// Reads until the answer is complete, the other end is closed, or the budget is over.
MUSTER_BARE void read_answer(ProbeProcess* run, uint64_t deadline) {
  while (run->used < run->capacity) {
    const uint64_t now = monotonic_ns();
    if (now >= deadline) {
      run->overdue = true;
      return;
    }
    const timespec left{static_cast<time_t>((deadline - now) / kSecond),
                        static_cast<long>((deadline - now) % kSecond)};
    pollfd wanted{run->read_end, POLLIN, 0};
    if (syscall(SYS_ppoll, &wanted, 1, &left, nullptr, kSignalSetBytes) <= 0) continue;
    const long n =
        syscall(SYS_read, run->read_end, run->answer + run->used, run->capacity - run->used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    run->used += static_cast<size_t>(n);
    if (run->answer[run->used - 1] == '\n') return;
  }
}

// Above those that muster-probe has them at. Made here, in a table of descriptors of this process's
// own: the program never holds the writing end, so its end is seen. The program's descriptors are
// let go of: what it closes must be closed.
MUSTER_BARE bool make_descriptors(ProbeProcess* run) {
  syscall(SYS_close_range, 0, ~0u, 0);
  int ends[2] = {-1, -1};
  if (syscall(SYS_pipe2, ends, O_CLOEXEC) != 0) return false;
  const long null = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  if (null < 0) return false;
  run->read_end = ends[0];
  run->write_end =
      static_cast<int>(syscall(SYS_fcntl, ends[1], F_DUPFD_CLOEXEC, kProbeDescriptor + 1));
  syscall(SYS_close, ends[1]);
  run->null = static_cast<int>(syscall(SYS_fcntl, null, F_DUPFD_CLOEXEC, kProbeDescriptor + 1));
  return run->write_end >= 0 && run->null >= 0;
}

MUSTER_BARE int intermediate_process(void* context) {
  auto* const run = static_cast<ProbeProcess*>(context);
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  default_action(SIGCHLD);  // ignored, it would take the exit status away
  if (!make_descriptors(run)) {
    run->error = errno;
    return 1;
  }
  const int probe =
      __clone(probe_process, run->probe_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, context);
  if (probe < 0) {
    run->error = errno;
    return 1;
  }
  syscall(SYS_close, run->write_end);
  const uint64_t deadline = monotonic_ns() + run->budget_ns;
  read_answer(run, deadline);
  const bool answered =
      run->used == run->capacity || (run->used > 0 && run->answer[run->used - 1] == '\n');
  while (!answered && !run->overdue) {
    if (syscall(SYS_wait4, probe, &run->wait_status, WNOHANG, nullptr) == probe) return 0;
    run->overdue = monotonic_ns() >= deadline;
    const timespec pause{0, 500'000};
    syscall(SYS_nanosleep, &pause, nullptr);
  }
  syscall(SYS_kill, probe, SIGKILL);
  while (syscall(SYS_wait4, probe, &run->wait_status, 0, nullptr) < 0 && errno == EINTR) {
  }
  return 0;
}

}  // namespace

MUSTER_BARE void run_probe_process(ProbeProcess& run) {
  const auto stacks = std::make_unique<char[]>(2 * kStackBytes);
  run.probe_stack = stacks.get() + 2 * kStackBytes;
  const uint64_t all = ~uint64_t{0};
  uint64_t before = 0;
  // No handler of the program may run on the borrowed stack.
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, kSignalSetBytes);
  // No exit signal: the program is not told, and only a wait for clones sees it.
  const int intermediate =
      __clone(intermediate_process, stacks.get() + kStackBytes, CLONE_VM | CLONE_VFORK, &run);
  const int error = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, kSignalSetBytes);
  if (intermediate < 0) {
    run.error = error;
    return;
  }
  while (waitpid(intermediate, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace muster
