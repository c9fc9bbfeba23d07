#include "plugins/backends/shm/stage.hpp"

namespace muster::shm {

Stage::Stage(plugin::Group group, uint64_t epoch_start) : group_(group), step_(epoch_start) {
  last_shown_.fill(epoch_start);
}

void Stage::attach(const std::vector<SegmentView>* segments, uint64_t slot_bytes) {
  segments_ = segments;
  slot_bytes_ = slot_bytes;
}

std::byte* Stage::claim() {
  uint64_t& last_shown = last_shown_[step_ % kSlots];
  for (uint32_t i = 1; i < size(); ++i) {
    group_.wait(&(*segments_)[peer(i)].control().done.word, last_shown, peer(i));
  }
  last_shown = step_;
  return (*segments_)[rank()].slot(step_);
}

}  // namespace muster::shm
