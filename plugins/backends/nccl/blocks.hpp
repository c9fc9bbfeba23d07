// The blocks of a buffer that is divided among the ranks, visited in rank order without a table.
// Pure.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_BLOCKS_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_BLOCKS_HPP

#include <cstdint>

namespace muster::nccl {

// Calls body(rank, count, offset) for each; offsets in elements. displs NULL: packed in rank order.
template <typename Body>
void each_block(uint32_t size, const uint64_t* counts, const uint64_t* displs, Body&& body) {
  uint64_t packed = 0;
  for (uint32_t rank = 0; rank < size; ++rank) {
    body(rank, counts[rank], displs == nullptr ? packed : displs[rank]);
    packed += counts[rank];
  }
}

// Whether they are as many equal blocks, packed.
inline bool is_uniform(uint32_t size, const uint64_t* counts, const uint64_t* displs) {
  for (uint32_t rank = 0; rank < size; ++rank) {
    if (counts[rank] != counts[0]) return false;
    if (displs != nullptr && displs[rank] != rank * counts[0]) return false;
  }
  return true;
}

// Where the last of them ends.
inline uint64_t extent_of(uint32_t size, const uint64_t* counts, const uint64_t* displs) {
  uint64_t extent = 0;
  each_block(size, counts, displs, [&](uint32_t, uint64_t count, uint64_t offset) {
    if (count != 0 && offset + count > extent) extent = offset + count;
  });
  return extent;
}

}  // namespace muster::nccl

#endif
