#include "tests/kit/check/tag_lines.hpp"

#include <fmt/format.h>

#include <cstring>
#include <mutex>

namespace muster::check {
namespace {

// The slot of the plugin that this thread is in; NULL: none.
thread_local const Slot* inside = nullptr;

struct {
  std::mutex mutex;
  std::string first;
} breaches;

}  // namespace

void note(const std::string& breach) {
  const std::lock_guard lock(breaches.mutex);
  if (breaches.first.empty()) breaches.first = breach;
}

std::string first_breach() {
  const std::lock_guard lock(breaches.mutex);
  return breaches.first;
}

namespace {

// What is wrong with the place of a call; "" for nothing.
std::string breach_of(Reach reach) {
  switch (reach) {
    case Reach::kCollective:
      return inside != nullptr && inside->collective
                 ? ""
                 : "the places are group_connect, memory_register and capture_end";
    case Reach::kSerial:
      return inside != nullptr && inside->thread_class != ThreadClass::kAny
                 ? ""
                 : "it is [group-serial]";
    case Reach::kWaits:
      return inside == nullptr || inside->waits != Waits::kNever ? "" : "which is [no-block]";
    default:
      return inside == nullptr || inside->waits == Waits::kForRanks
                 ? ""
                 : "which may not wait for another rank";
  }
}

}  // namespace

bool check_host_call(const char* function, Reach reach) {
  const std::string breach = breach_of(reach);
  if (breach.empty()) return true;
  note(fmt::format("it called {} in {}; {}", function,
                   inside == nullptr ? "a thread of its own" : inside->name, breach));
  return false;
}

void check_inside(const char* function, const char* slot) {
  if (inside != nullptr && std::strcmp(inside->name, slot) == 0) return;
  note(fmt::format("it called {} in {}; the place is {}", function,
                   inside == nullptr ? "a thread of its own" : inside->name, slot));
}

Inside::Inside(std::atomic<int>* busy, const Slot& slot) : busy_(busy), before_(inside) {
  inside = &slot;
  if (busy_ == nullptr || busy_->fetch_add(1) == 0) return;
  note(fmt::format("the runtime called {} beside another {} function", slot.name,
                   slot.thread_class == ThreadClass::kSetup ? "[setup-thread]" : "[group-serial]"));
}

Inside::~Inside() {
  inside = before_;
  if (busy_ != nullptr) busy_->fetch_sub(1);
}

}  // namespace muster::check
