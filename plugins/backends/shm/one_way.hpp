// Operands that go one way: some ranks show all of theirs, others take it, step by step, the former
// up to kSlots steps ahead. For broadcast, gather, and reductions that one rank needs.
//
// Several steps, also where one would hold all: who takes copies out while who shows copies in.
// Thread rule: [group-serial]. Both sides must be given the same bytes and limit.
#ifndef MUSTER_PLUGINS_SHM_ONE_WAY_HPP
#define MUSTER_PLUGINS_SHM_ONE_WAY_HPP

#include <algorithm>
#include <cstdint>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

class OneWay {
 public:
  // bytes: of each operand, at least one. least: a step has no fewer.
  OneWay(State& state, uint64_t bytes, uint64_t least)
      : state_(state), stage_(state.stage), bytes_(bytes) {
    const uint64_t part = (bytes / kSlots + kCacheLine - 1) / kCacheLine * kCacheLine;
    most_ = std::min(stage_.slot_bytes(), std::max(part, least));
    steps_ = (bytes + most_ - 1) / most_;
    first_ = stage_.begin(steps_);
  }

  // Shows all of an operand.
  void show(const void* data) const {
    const Operands own = {state_.operands.tell(data, bytes_), {}, stage_.shows_far()};
    state_.told_far = own.far != 0;
    for (uint64_t i = 0; i < steps_; ++i) {
      const uint64_t step = first_ + i;
      Card& card = stage_.claim(step);
      if (own.send.staged()) stage_.show(stage_.slot(step), at(data, i * most_), length(i));
      write_operands(card, own);
      stage_.publish(step);
      stage_.finish(step);
    }
    if (!own.send.staged()) stage_.await_done(first_ + steps_ - 1);
  }
  // Has body(offset, bytes) take each step, which looks it up by shown().
  template <typename Body>
  void take(const Body& body) {
    for (step_ = 0; step_ < steps_; ++step_) {
      body(step_ * most_, length(step_));
      stage_.finish(first_ + step_);
    }
  }
  // What another rank shows in the step that is being taken.
  const std::byte* shown(uint32_t peer) const {
    const std::byte* const slot = stage_.slot(peer, first_ + step_);
    const Card& card = stage_.read(peer, first_ + step_, slot, length(step_));
    if (step_ == 0) {
      const Operands told = operands_of(card);
      state_.peer_send[peer] = state_.operands.find(peer, told.send, bytes_);
      state_.told_far = told.far != 0;
    }
    const std::byte* const direct = state_.peer_send[peer];
    return direct != nullptr ? direct + step_ * most_ : slot;
  }

 private:
  uint64_t length(uint64_t i) const { return std::min(most_, bytes_ - i * most_); }

  State& state_;
  Stage& stage_;
  uint64_t bytes_;
  uint64_t most_;
  uint64_t steps_;
  uint64_t first_;
  uint64_t step_ = 0;
};

}  // namespace muster::shm

#endif
