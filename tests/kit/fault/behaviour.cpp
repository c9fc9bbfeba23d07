#include "tests/kit/fault/behaviour.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "muster/names.h"

namespace muster::fault {
namespace {

[[noreturn]] void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void leak(const std::string& what) {
  if (what == "leak memory") {
    // Written to, so that the compiler cannot leave it out.
    auto* const lost = static_cast<volatile char*>(std::malloc(1 << 20));
    lost[0] = 1;
  } else if (what == "leak descriptor") {
    static_cast<void>(open("/dev/null", O_RDONLY | O_CLOEXEC));
  } else if (what == "leak thread") {
    std::thread(sleep_for_ever).detach();
  }
}

}  // namespace

Behaviour Behaviour::of_environment() {
  const char* const fault = std::getenv("FAULT_PLUGIN");
  return {fault == nullptr ? "" : fault, -1, 0};
}

bool Behaviour::applies(uint32_t rank, uint64_t calls) const {
  return (rank_ < 0 || rank_ == static_cast<int64_t>(rank)) && calls >= after_;
}

bool Behaviour::is(const char* fault, uint32_t rank, uint64_t calls) const {
  return fault_ == fault && applies(rank, calls);
}

bool Behaviour::throws(const char* place, uint32_t rank, uint64_t calls) const {
  return fault_ == std::string("throw in ") + place && applies(rank, calls);
}

void Behaviour::act(const char* place, uint32_t rank, uint64_t calls) const {
  const std::string suffix = std::string(" in ") + place;
  if (fault_.size() <= suffix.size() || !applies(rank, calls)) return;
  const size_t at = fault_.size() - suffix.size();
  if (fault_.compare(at, suffix.size(), suffix) != 0) return;
  const std::string what = fault_.substr(0, at);
  if (what == "crash") raise(SIGSEGV);
  if (what == "hang") sleep_for_ever();
  if (what == "slow") std::this_thread::sleep_for(std::chrono::seconds(2));
  if (what == "print") {
    std::printf("fault: %s\n", place);
    std::fflush(stdout);
  }
  if (what == "complain") std::fprintf(stderr, "fault: %s\n", place);
  if (what == "fail")
    plugin::fail(MUSTER_UNAVAILABLE, "the fault plugin fails in " + std::string(place));
  leak(what);
  for (muster_code code = 1; code < MUSTER_CODE_END; ++code) {
    if (what == muster_code_name(code)) plugin::fail(code, "the fault plugin gives " + what);
  }
}

}  // namespace muster::fault
