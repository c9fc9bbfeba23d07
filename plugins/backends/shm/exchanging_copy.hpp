// What two far ranks copy when each shows the other something and takes what the other has shown,
// at once: line by line in turns. To show waits for the way to memory, to take for lines that come
// from afar; together they take little longer than the longer of them.
#ifndef MUSTER_PLUGINS_SHM_EXCHANGING_COPY_HPP
#define MUSTER_PLUGINS_SHM_EXCHANGING_COPY_HPP

#include <cstddef>
#include <cstdint>

namespace muster::shm {

struct Copy {
  std::byte* to;
  const std::byte* from;
  uint64_t bytes;
};

// shown: goes around the caches, its `to` begins a cache line. taken: in several streams. own: what
// need not wait for anything, of any length. The three do not overlap.
using ExchangingCopy = void (*)(const Copy& shown, const Copy& taken, const Copy& own);

// NULL: not on this processor.
ExchangingCopy exchanging_copy();

}  // namespace muster::shm

#endif
