#include "tests/gpu/peer/last_words.hpp"

#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <initializer_list>

namespace muster::peer_test {
namespace {

void tell(int number) {
  void* calls[64];
  const int count = backtrace(calls, 64);
  char line[80];
  const int length = std::snprintf(line, sizeof(line), "FATAL signal %d in thread %ld\n", number,
                                   static_cast<long>(syscall(SYS_gettid)));
  if (write(STDERR_FILENO, line, static_cast<size_t>(length)) == length) {
    backtrace_symbols_fd(calls, count, STDERR_FILENO);
  }
  raise(number);
}

}  // namespace

void say_last_words() {
  // What backtrace needs is loaded now: a process with a broken heap cannot.
  void* first[1];
  static_cast<void>(backtrace(first, 1));
  struct sigaction action {};
  action.sa_handler = tell;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) sigaction(number, &action, nullptr);
}

}  // namespace muster::peer_test
