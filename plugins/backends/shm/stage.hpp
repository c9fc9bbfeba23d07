// The steps that collectives are made of. In a step a rank may show up to one slot of bytes to the
// others, and look at what they show.
//
// Every rank of a group goes through the same steps in the same order, numbered by one counter that
// only grows. A rank tells how far it is by words of its own: the card of a step's slot (what I
// show in step e can be read), `reduced` (what I have put into the slot since can be read, too) and
// `done` (I no longer look at anything of step e). A slot is written again only when all others are
// done with the step in which it was last shown. So no state is ever taken back, and no sequence of
// operations, however ranks drift apart, can make one miss what another said.
//
// What costs is the way of a cache line from core to core, so there are few of them: who publishes
// a step of an operation is done with all operations before, which saves looking at its `done`; and
// a tiny operand travels in the card itself.
//
// Thread rule: [group-serial]. Lifetime: the group's.
#ifndef MUSTER_PLUGINS_SHM_STAGE_HPP
#define MUSTER_PLUGINS_SHM_STAGE_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/copy.hpp"
#include "plugins/backends/shm/distance.hpp"
#include "plugins/backends/shm/layout.hpp"
#include "plugins/backends/shm/spins.hpp"

namespace muster::shm {

class Stage {
 public:
  Stage(plugin::Group group, uint64_t epoch_start);
  // spins: the most looks at a word before the runtime's wait, which may give the core away. They
  // become fewer while they are in vain.
  // nodes: by rank, the NUMA node that it runs on.
  void attach(const std::vector<SegmentView>* segments, uint64_t slot_bytes, uint32_t spins,
              const std::vector<uint32_t>& nodes, const CopyTable* copies, Distance* distance);

  uint64_t slot_bytes() const { return slot_bytes_; }
  uint32_t rank() const { return group_.rank(); }
  uint32_t size() const { return group_.size(); }
  // The peer to serve i-th (1..size-1), see peers.hpp.
  uint32_t peer(uint32_t i) const { return peers_[i - 1]; }

  // An operation of `steps` steps begins; its first step. around_from: of two ranks that change
  // slots, from how many bytes on what they show may go around the caches.
  uint64_t begin(uint64_t steps, uint64_t around_from = 0) {
    const uint64_t first = last_ + 1;
    around_from_ = size() == 2 ? around_from : 0;
    one_step_ = steps == 1;
    before_ = last_;
    last_ += steps;
    return first;
  }
  // This rank's card and slot of a step, once nobody looks at their former content any more.
  Card& claim(uint64_t step) {
    uint64_t& shown = last_shown_[step % kSlots];
    const uint64_t needed = shown;
    shown = step;
    for (uint32_t r = 0; r < known_done_.size(); ++r) {
      if (known_done_[r] < needed) wait_done(r, needed);
    }
    return own().card(step);
  }
  std::byte* slot(uint64_t step) const { return slot(rank(), step); }
  std::byte* slot(uint32_t rank, uint64_t step) const {
    return (*segments_)[rank ^ swapped_[step % kSlots]].slot(step);
  }

  // Copies into a place of an own slot that was claimed.
  void show(std::byte* to, const void* from, uint64_t bytes) {
    if (distance_->due(bytes)) look();
    copies_->shown(to, from, bytes, goes_around(bytes));
  }
  // What another rank has shown, into a part of a result of `whole` bytes.
  void take(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    copies_->taken(to, from, bytes, whole, distance_->far());
  }
  // The same of a slot that this rank writes into next: of two ranks, where each shows what the
  // other takes, or puts its result where it found the other's operand.
  void take_over(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (size() != 2 || goes_around(bytes)) return take(to, from, bytes, whole);
    copies_->taken_over(to, from, bytes, whole);
  }
  // For what is reduced where it was shown, in such a slot: claims its lines. Of much they come
  // in time anyhow.
  void claim_shown(const void* shown, uint64_t bytes) const {
    constexpr uint64_t kMuch = 16384;
    if (size() == 2 && bytes <= kMuch) claim_lines(shown, bytes);
  }
  // Both at once, and what is copied from an own operand into an own result beside them: where
  // shows_far() and the copies' exchanges() say so.
  void exchange(const Copy& shown, const Copy& taken, const Copy& own) {
    if (distance_->due(shown.bytes)) look();
    copies_->exchanged(shown, taken, own);
  }
  bool shows_far() const { return distance_->far(); }
  // Whether what is shown goes around the caches in the operation in hand.
  bool goes_around(uint64_t bytes) const {
    return bytes >= around_from_ && copies_->shown_around(bytes, distance_->far());
  }

  // The own card of a step, and what is in its slot, can be read from now on. In an operation of
  // one step, whose finish() comes next, or after a wait: whoever sleeps is woken there. Until then
  // the stores are on their way while this rank goes on.
  void publish(uint64_t step) {
    muster_wait_word& word = own().card(step).word;
    if (!one_step_) return group_.signal(&word, step);
    unfenced_ = &word;
    __atomic_store_n(&word.value, step, __ATOMIC_RELEASE);
    copies_->told(&word);
  }
  // Also wakes whoever sleeps since publish(): without its part there is nothing to collect.
  void publish_reduced(uint64_t step) {
    group_.signal(&own().control().reduced.word, step);
    wake();
  }
  // Another rank's card of a step, once it is published. shown: the `bytes` bytes of its slot that
  // are looked at next, if any.
  const Card& read(uint32_t peer, uint64_t step, const std::byte* shown = nullptr,
                   uint64_t bytes = 0) {
    Card& card = (*segments_)[peer].card(step);
    // What far ranks write around the caches nobody had better read meanwhile.
    if (shown != nullptr && goes_around(bytes)) shown = nullptr;
    wait(card.word, step, peer, shown);
    if (known_done_[peer] < before_) known_done_[peer] = before_;
    return card;
  }
  // Returns once another rank has put its result of a step into its slot, or where it said.
  void await_reduced(uint32_t peer, uint64_t step) {
    wait((*segments_)[peer].control().reduced.word, step, peer);
  }
  // This rank looks at nothing of the step, and of those before, any more.
  void finish(uint64_t step) {
    muster_wait_word& done = own().control().done.word;
    // Orders both stores before the looks at who sleeps (wait.cpp of the runtime says why none is
    // missed): it stands here once, where nobody waits for it, and on a line that nobody reads.
    __atomic_exchange_n(&done.value, step, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&done.waiters, __ATOMIC_SEQ_CST) != 0) group_.signal(&done, step);
    wake();
  }
  // The same of a step in which every rank has shown and looked at what all others showed. Two
  // ranks then change slots: each shows next what it has just read, whose lines its core has.
  void finish_exchange(uint64_t step) {
    swapped_[step % kSlots] ^= size() == 2 ? 1 : 0;
    finish(step);
  }
  // Returns once all others are done with the step: they look at none of this rank's memory.
  void await_done(uint64_t step) {
    for (uint32_t i = 1; i < size(); ++i) {
      if (known_done_[peer(i)] < step) wait_done(peer(i), step);
    }
  }

 private:
  const SegmentView& own() const { return (*segments_)[rank()]; }
  // Whoever sleeps since a publish without a fence; after a sequentially consistent operation. The
  // others say that they sleep in a line that hardly ever changes: how many wait for the card is on
  // its own line, which is on its way to them now, and to have it back would take as long as an
  // operation.
  void wake() {
    if (unfenced_ == nullptr) return;
    for (uint32_t i = 1; i < size(); ++i) {
      const uint32_t& asleep = (*segments_)[peer(i)].control().asleep;
      if (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) != 0) return wake_slowly();
    }
    unfenced_ = nullptr;
  }
  void wake_slowly();
  // along: a line that is read next. Asked for with every look it comes along with the word, not
  // after it.
  void wait(muster_wait_word& word, uint64_t at_least, uint32_t peer, const void* along = nullptr) {
    // Without a pause at first: it would cost more than the way of a cache line.
    for (int i = 0; i < kEagerLooks; ++i) {
      if (along != nullptr) __builtin_prefetch(along);
      if (__atomic_load_n(&word.value, __ATOMIC_ACQUIRE) >= at_least) return;
    }
    wait_slowly(word, at_least, peer);
  }
  void wait_slowly(muster_wait_word& word, uint64_t at_least, uint32_t peer);
  void wait_done(uint32_t peer, uint64_t step);
  void look();

  static constexpr int kEagerLooks = 64;

  plugin::Group group_;
  const std::vector<SegmentView>* segments_ = nullptr;
  uint64_t slot_bytes_ = 0;
  Spins spins_;
  std::vector<uint32_t> peers_;  // in the order in which they are served
  uint64_t last_;                // step of the operations begun so far
  uint64_t before_;              // the last step of the operation before the present one
  std::array<uint64_t, kSlots> last_shown_;  // the step in which each own slot was last claimed
  std::array<uint32_t, kSlots> swapped_{};   // 1: two ranks have changed these slots
  std::vector<uint64_t> known_done_;         // by rank; the own one: for ever
  std::vector<uint64_t> read_done_;          // by rank: its `done` when it was last read
  uint64_t around_from_ = 0;                 // of the operation in hand
  bool one_step_ = false;                    // it has one
  uint32_t next_look_ = 0;
  const CopyTable* copies_ = nullptr;
  Distance* distance_ = nullptr;
  muster_wait_word* unfenced_ = nullptr;
};

}  // namespace muster::shm

#endif
