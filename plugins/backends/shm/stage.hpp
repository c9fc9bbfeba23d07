// The steps that collectives are made of. In a step a rank may show up to one slot of bytes to the
// others, and look at what they show.
//
// Every rank of a group goes through the same steps in the same order, numbered by one counter that
// only grows. A rank tells how far it is by three words of its own: `published` (my slot of step e
// can be read), `reduced` (what I have put into it since can be read, too) and `done` (I no longer
// look at anything of step e). A slot is written again only when all others are done with the step
// in which it was last shown. So no state is ever taken back, and no sequence of operations,
// however ranks drift apart, can make one miss what another said.
//
// Thread rule: [group-serial]. Lifetime: the group's.
#ifndef MUSTER_PLUGINS_SHM_STAGE_HPP
#define MUSTER_PLUGINS_SHM_STAGE_HPP

#include <array>
#include <cstdint>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/layout.hpp"

namespace muster::shm {

class Stage {
 public:
  Stage(plugin::Group group, uint64_t epoch_start);
  void attach(const std::vector<SegmentView>* segments, uint64_t slot_bytes);

  uint64_t slot_bytes() const { return slot_bytes_; }
  uint32_t rank() const { return group_.rank(); }
  uint32_t size() const { return group_.size(); }
  // The peer to serve i-th (1..size-1): each rank begins with its neighbour, so that they do not
  // all crowd around one.
  uint32_t peer(uint32_t i) const { return (rank() + i) % size(); }

  // The next step.
  void begin() { ++step_; }
  // This rank's slot, once nobody looks at its former content any more.
  std::byte* claim();
  void publish() { signal(&ControlBlock::published); }
  void publish_reduced() { signal(&ControlBlock::reduced); }
  // Another rank's slot, once it is published, or holds the reduced slice.
  const std::byte* read(uint32_t peer) { return wait_slot(&ControlBlock::published, peer); }
  const std::byte* read_reduced(uint32_t peer) { return wait_slot(&ControlBlock::reduced, peer); }
  // This rank looks at nothing of the step any more.
  void finish() { signal(&ControlBlock::done); }

 private:
  using WordOf = Word ControlBlock::*;
  void signal(WordOf word) { group_.signal(&((*segments_)[rank()].control().*word).word, step_); }
  const std::byte* wait_slot(WordOf word, uint32_t peer) {
    const SegmentView& segment = (*segments_)[peer];
    group_.wait(&(segment.control().*word).word, step_, peer);
    return segment.slot(step_);
  }

  plugin::Group group_;
  const std::vector<SegmentView>* segments_ = nullptr;
  uint64_t slot_bytes_ = 0;
  uint64_t step_;
  std::array<uint64_t, kSlots> last_shown_;  // the step in which each own slot was last claimed
};

}  // namespace muster::shm

#endif
