// A reduction in hand, and how its elements are shared out among the ranks.
#ifndef MUSTER_PLUGINS_SHM_REDUCTION_HPP
#define MUSTER_PLUGINS_SHM_REDUCTION_HPP

#include <algorithm>
#include <cstdint>

#include "muster/call.h"
#include "muster/kernels.h"
#include "plugins/backends/shm/layout.hpp"

namespace muster::shm {

struct Reduction {
  static constexpr uint32_t kEveryone = UINT32_MAX;

  muster_host_reduce kernel;
  const muster_call& call;
  uint64_t element;
  uint64_t bytes;
  uint32_t receiver;  // a rank, or kEveryone

  bool received_by(uint32_t rank) const { return receiver == kEveryone || receiver == rank; }
  bool in_place() const { return call.send == call.recv; }
};

// Some elements of the operand, shared out. Slices begin at cache lines, so that no two ranks write
// to one.
struct Slices {
  Slices(uint64_t from, uint64_t count, uint64_t element, uint32_t size)
      : from(from),
        count(count),
        element(element),
        per_rank(((count + size - 1) / size + kCacheLine / element - 1) / (kCacheLine / element) *
                 (kCacheLine / element)) {}
  uint64_t begin(uint32_t rank) const { return std::min(count, rank * per_rank); }
  uint64_t length(uint32_t rank) const { return begin(rank + 1) - begin(rank); }
  // In bytes: within the step's slot, and within the operand.
  uint64_t in_slot(uint32_t rank) const { return begin(rank) * element; }
  uint64_t in_operand(uint32_t rank) const { return (from + begin(rank)) * element; }
  uint64_t bytes(uint32_t rank) const { return length(rank) * element; }

  uint64_t from;  // elements of the operand before these
  uint64_t count;
  uint64_t element;
  uint64_t per_rank;
};

}  // namespace muster::shm

#endif
