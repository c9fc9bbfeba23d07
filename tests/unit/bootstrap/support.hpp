// What the bootstrap tests share.
#ifndef MUSTER_TESTS_UNIT_BOOTSTRAP_SUPPORT_HPP
#define MUSTER_TESTS_UNIT_BOOTSTRAP_SUPPORT_HPP

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "core/bootstrap/deadline.hpp"

namespace muster::testing {

// Ends a test that hangs; no test waits for it to pass.
inline uint64_t far_deadline() { return deadline_after(std::chrono::seconds(60)); }
// Will pass, as soon as possible.
inline uint64_t near_deadline() { return deadline_after(std::chrono::milliseconds(20)); }

inline size_t open_fds() {
  namespace fs = std::filesystem;
  return static_cast<size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

inline void as_threads(uint32_t ranks, const std::function<void(uint32_t)>& body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

// A child that runs body and ends with its result; it never returns into the test program.
inline pid_t forked(const std::function<int()>& body) {
  pid_t child = fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    _exit(code);
  }
  return child;
}

// The exit code, or 128 + signal.
inline int end_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace muster::testing

#endif
