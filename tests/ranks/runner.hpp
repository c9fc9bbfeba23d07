// Runs cases on a group, in each of the ways in which a program may call.
#ifndef MUSTER_TESTS_RANKS_RUNNER_HPP
#define MUSTER_TESTS_RANKS_RUNNER_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "muster/muster.h"
#include "tests/ranks/call_data.hpp"

namespace muster::ranks {

// What a status said; it is released.
struct Said {
  Said(muster_status* status);  // NOLINT(google-explicit-constructor): functions return statuses
  bool ok() const { return code == MUSTER_OK; }
  muster_code code;
  std::string message;
};

// A failed call, or wrong elements.
struct Outcome {
  std::string failure;  // of a call
  Wrong wrong;
  std::string backend;  // who served, "" when this rank had no part
  bool ok() const { return failure.empty() && wrong.count == 0; }
};

// Thread rule and lifetime: the group's.
class Runner {
 public:
  // shared: memory of the group, for cases whose buffers lie there.
  explicit Runner(muster_group* group, SharedMemory* shared = nullptr);
  Outcome run(const Case& c, bool sampled = false);

 private:
  Said call_in(Mode mode, const Case& c);
  Said start_and_wait();
  Said start_and_test();
  Said plan(const Case& c);
  Said batch(const Case& c);

  muster_group* const group_;
  SharedMemory* const shared_;
  const uint32_t rank_;
  const uint32_t size_;
  CallData data_;
  std::vector<CallData> messages_;
  Wrong side_;  // wrong elements of what ran together with the case
};

// The call through its own function of muster.h.
Said call_function(muster_group* group, const muster_call& call);

}  // namespace muster::ranks

#endif
