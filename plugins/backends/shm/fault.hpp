// A fault on purpose, for tests of those who check results: flips one bit of one element of the
// result of one call on one rank.
#ifndef MUSTER_PLUGINS_SHM_FAULT_HPP
#define MUSTER_PLUGINS_SHM_FAULT_HPP

#include <cstdint>

#include "muster/call.h"
#include "muster/plugin.hpp"

namespace muster::shm {

class Fault {
 public:
  // Throws INVALID_ARGUMENT for an operation that does not exist.
  explicit Fault(const plugin::Group& group);
  // Called after each call of this rank.
  void after(const muster_call& call) {
    if (call.op == op_ && calls_++ == target_) flip(call);
  }

 private:
  void flip(const muster_call& call) const;

  muster_op op_ = MUSTER_OP_NONE;  // none: no fault on this rank
  uint64_t target_ = 0;
  uint64_t calls_ = 0;
  uint32_t rank_;
  uint32_t size_;
};

}  // namespace muster::shm

#endif
