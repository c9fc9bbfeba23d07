#include "plugins/backends/shm/stage.hpp"

#include "plugins/backends/shm/peers.hpp"

namespace muster::shm {

Stage::Stage(plugin::Group group, uint64_t epoch_start)
    : group_(group),
      last_(epoch_start),
      before_(epoch_start),
      known_done_(group.size(), epoch_start),
      read_done_(group.size(), epoch_start) {
  last_shown_.fill(epoch_start);
  known_done_[group.rank()] = UINT64_MAX;
}

void Stage::attach(const std::vector<SegmentView>* segments, uint64_t slot_bytes, uint32_t spins,
                   const std::vector<uint32_t>& nodes, const CopyTable* copies,
                   Distance* distance) {
  peers_ = peers_in_order(rank(), nodes);
  segments_ = segments;
  slot_bytes_ = slot_bytes;
  spins_ = Spins(spins);
  copies_ = copies;
  distance_ = distance;
}

// `done` is what another rank changes in every operation.
void Stage::look() {
  if (size() == 1) return;
  next_look_ = (next_look_ + 1) % (size() - 1);
  const uint32_t peer = peers_[next_look_];
  const muster_wait_word& done = (*segments_)[peer].control().done.word;
  read_done_[peer] = distance_->look(peer, done.value, read_done_[peer]);
}

void Stage::wake_slowly() {
  group_.signal(unfenced_, unfenced_->value);
  unfenced_ = nullptr;
}

void Stage::wait_slowly(muster_wait_word& word, uint64_t at_least, uint32_t peer) {
  if (spins_.until([&] { return __atomic_load_n(&word.value, __ATOMIC_ACQUIRE) >= at_least; })) {
    return;
  }
  if (unfenced_ != nullptr) wake_slowly();
  uint32_t& asleep = own().control().asleep;
  __atomic_store_n(&asleep, 1, __ATOMIC_SEQ_CST);
  group_.wait(&word, at_least, peer);
  __atomic_store_n(&asleep, 0, __ATOMIC_RELAXED);
}

void Stage::wait_done(uint32_t peer, uint64_t step) {
  muster_wait_word& done = (*segments_)[peer].control().done.word;
  wait(done, step, peer);
  known_done_[peer] = read_done_[peer] = __atomic_load_n(&done.value, __ATOMIC_ACQUIRE);
}

}  // namespace muster::shm
