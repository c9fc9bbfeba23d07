// The tag lines of the headers, held against what happens: which slot of the plugin a thread is in,
// and which functions of the runtime may be called from there.
//
// Enforced: [setup-thread] slots of an instance and [group-serial] ones of a group never two at
// once; collective functions of the runtime in group_connect, memory_register and capture_end only;
// its [group-serial] functions in a slot of the group that is not [any-thread]; nothing that may
// wait in a [no-block] slot, no wait for another rank in a [local] one. Any thread; one plugin per
// process.
#ifndef MUSTER_TESTS_KIT_CHECK_TAG_LINES_HPP
#define MUSTER_TESTS_KIT_CHECK_TAG_LINES_HPP

#include <atomic>
#include <string>

namespace muster::check {

enum class ThreadClass { kAny, kSetup, kSerial };
// What a slot may wait for: nothing when [no-block], no rank when [local].
enum class Waits { kNever, kForDevices, kForRanks };

// What the header says of a slot of muster_backend.
struct Slot {
  const char* name;
  ThreadClass thread_class;
  Waits waits;
  bool collective = false;  // collective functions of the runtime have a place in it
};

// What host.h says of a function of the runtime.
enum class Reach {
  kCollective,      // [group-serial] [collective]
  kSerial,          // [group-serial] [local]
  kWaits,           // [any-thread], not [no-block]
  kWaitsForAnother  // the same, for another rank
};

// Notes a breach; the first is kept.
void note(const std::string& breach);
// The first breach since then; "" for none.
std::string first_breach();

// The plugin is about to call a function of the runtime. False when it may not.
bool check_host_call(const char* function, Reach reach);
// It is about to use something that is valid in one slot only, on the thread of that slot.
void check_inside(const char* function, const char* slot);

// A call into the plugin, for as long as it lives: one at a time of those that share `busy`.
class Inside {
 public:
  Inside(std::atomic<int>* busy, const Slot& slot);
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  std::atomic<int>* const busy_;
  const Slot* const before_;
};

}  // namespace muster::check

#endif
