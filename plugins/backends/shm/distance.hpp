// How far the other ranks' cores are: whether what a rank shows is better written around the
// caches.
//
// To write a line that a core of another cache has read takes one way there and back; where that is
// far (another level 3 cache, another socket) it takes longer than to write the line to memory and
// to have it read from there, which needs no asking. Within one cache it is the other way round.
// Where the cores are is not asked of the system: a virtual machine's are moved while it runs, and
// its topology says nothing of that. So now and then the look at a word is timed that the other
// rank has changed since.
//
// Thread rule: [group-serial]. Lifetime: the group's.
#ifndef MUSTER_PLUGINS_SHM_DISTANCE_HPP
#define MUSTER_PLUGINS_SHM_DISTANCE_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shm {

class Distance {
 public:
  explicit Distance(uint32_t ranks = 1) : peers_(ranks) {}
  // far_ns: a line that takes at least as long is far. 0: none is; 1: all are.
  void attach(uint64_t far_ns) { far_ns_ = far_ns; }

  // At least half of the other ranks are far: then most of the ways of a line are long.
  bool far() const { return far_count_ != 0 && 2 * far_count_ + 1 >= peers_.size(); }
  // This rank is about to show so many bytes. Whether it is time to look again.
  bool due(uint64_t bytes) {
    unlooked_ += bytes;
    return unlooked_ >= kBytesBetween && far_ns_ != 0;
  }
  // Looks at a word of that rank. `seen`: its value when it was last read here; as long as it has
  // not changed the line is in this core's cache, and says nothing. Returns the value.
  uint64_t look(uint32_t peer, const uint64_t& word, uint64_t seen);
  // A look took so long. For tests.
  void judge(uint32_t peer, uint64_t nanoseconds);

 private:
  // A look costs two readings of the clock and a line: little against showing so much.
  static constexpr uint64_t kBytesBetween = 256 * 1024;
  // Looks in a row that change the verdict. One alone may have been interrupted, so that a near
  // line seems far; and more often a far line is in this core's cache already, fetched along with
  // another.
  static constexpr uint32_t kFarAfter = 2;
  static constexpr uint32_t kNearAfter = 6;

  struct Peer {
    bool far = false;
    uint32_t against = 0;  // looks in a row that say otherwise
  };

  uint64_t far_ns_ = 0;
  uint64_t unlooked_ = 0;
  size_t far_count_ = 0;
  std::vector<Peer> peers_;  // by rank; the own one is never looked at
};

}  // namespace muster::shm

#endif
