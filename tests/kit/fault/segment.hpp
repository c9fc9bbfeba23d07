// What the ranks of a group of the fault plugin share: per rank one file that all of them have
// mapped, with two words to wait on and room for a chunk of data.
//
// Thread rule: the group's. Ends with its owner.
#ifndef MUSTER_TESTS_KIT_FAULT_SEGMENT_HPP
#define MUSTER_TESTS_KIT_FAULT_SEGMENT_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "muster/plugin.hpp"

namespace muster::fault {

struct Segment {
  static constexpr uint64_t kChunk = 64 << 10;

  alignas(64) muster_wait_word filled;   // the owner's data of this epoch is there
  alignas(64) muster_wait_word drained;  // the owner has read everybody's data of this epoch
  alignas(64) std::byte data[kChunk];
};

class Segments {
 public:
  // Makes this rank's.
  Segments();
  ~Segments();
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;
  // Maps those of all ranks. [collective]
  void join(const plugin::Group& group);
  Segment& of(uint32_t rank) const { return *mapped_[rank]; }

 private:
  int file_ = -1;
  std::vector<Segment*> mapped_;
};

}  // namespace muster::fault

#endif
