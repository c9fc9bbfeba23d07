// all_reduce and reduce. Tiny: data in the cards. One shot: every rank shows its data, and whoever
// needs the result reduces all of it. Two shot, in chunks: every rank shows what the others need of
// its chunk, reduces one slice of it, and whoever needs the result collects the slices; where all
// operands can be looked into, direct.hpp.
//
// Sources are combined in rank order in all three, so an element has the same bits at any size.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/direct.hpp"
#include "plugins/backends/shm/one_way.hpp"
#include "plugins/backends/shm/reduction.hpp"

namespace muster::shm {
namespace {

// A slice is reduced and passed on in blocks that stay in a near cache.
constexpr uint64_t kBlockBytes = 16384;

void tiny(State& state, const Reduction& reduction) {
  const muster_call& call = reduction.call;
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  if (reduction.receiver != state.rank()) {  // nobody needs what the root has
    copy_bytes(stage.claim(step).data, call.send, reduction.bytes);
    stage.publish(step);
  }
  if (reduction.received_by(state.rank())) {
    state.sources[state.rank()] = call.send;
    for (uint32_t i = 1; i < stage.size(); ++i) {
      state.sources[stage.peer(i)] = stage.read(stage.peer(i), step).data;
    }
    reduction.kernel(call.recv, state.sources.data(), stage.size(), call.count, call.scalar,
                     stage.size());
  }
  stage.finish(step);
}

void one_shot(State& state, const Reduction& reduction) {
  const muster_call& call = reduction.call;
  Stage& stage = state.stage;
  const bool exchanged = reduction.receiver == Reduction::kEveryone;
  const uint64_t step = stage.begin(1, exchanged ? kReducedAround : 0);
  const bool shows = reduction.receiver != state.rank();  // nobody needs what the root has
  // In place the others would look at results.
  const Operand send =
      shows && !reduction.in_place() ? state.operands.tell(call.send, reduction.bytes) : Operand{};
  if (shows) {
    Card& own = stage.claim(step);
    if (send.staged()) stage.show(stage.slot(step), call.send, reduction.bytes);
    state.operands.write_told(own, send, reduction.bytes);
    stage.publish(step);
  }
  if (reduction.received_by(state.rank())) {
    state.sources[state.rank()] = call.send;
    for (uint32_t i = 1; i < stage.size(); ++i) {
      const uint32_t r = stage.peer(i);
      const std::byte* const shown = stage.slot(r, step);
      const Card& card = stage.read(r, step, shown, reduction.bytes);
      const std::byte* const direct = state.operands.find_told(r, card, reduction.bytes);
      state.sources[r] = direct != nullptr ? direct : shown;
      if (direct == nullptr && exchanged) stage.claim_shown(shown, reduction.bytes);
    }
    reduction.kernel(call.recv, state.sources.data(), stage.size(), call.count, call.scalar,
                     stage.size());
  }
  if (exchanged) {
    stage.finish_exchange(step);
  } else {
    stage.finish(step);
  }
  if (!send.staged()) stage.await_done(step);
}

// One shot of a rooted operation, of any size, in steps.
void one_shot_to_root(State& state, const Reduction& reduction) {
  constexpr uint64_t kLeast = 32768;
  const muster_call& call = reduction.call;
  OneWay way(state, reduction.bytes, kLeast);
  if (reduction.receiver != state.rank()) return way.show(call.send);
  way.take([&](uint64_t offset, uint64_t bytes) {
    state.sources[state.rank()] = at(call.send, offset);
    for (uint32_t i = 1; i < state.size(); ++i) {
      const uint32_t r = state.stage.peer(i);
      state.sources[r] = way.shown(r);
    }
    reduction.kernel(at(call.recv, offset), state.sources.data(), state.size(),
                     bytes / reduction.element, call.scalar, state.size());
  });
}

class TwoShot {
 public:
  TwoShot(State& state, const Reduction& reduction)
      : state_(state),
        stage_(state.stage),
        reduction_(reduction),
        call_(reduction.call),
        rank_(state.rank()),
        most_(stage_.slot_bytes() / reduction.element),
        steps_((call_.count + most_ - 1) / most_),
        receives_(reduction.received_by(rank_)),
        pair_(receives_ && state.copies.cached(reduction.bytes) ? state.kernels.pair_of(call_)
                                                                : nullptr) {
    own_.send = state.operands.tell(call_.send, reduction.bytes);
    if (reduction.receiver == Reduction::kEveryone) {
      own_.recv = state.operands.tell(call_.recv, reduction.bytes);
    } else {  // nobody collects from the root
      own_.far = stage_.shows_far() ? 1 : 0;
      if (!receives_) state.told_far = own_.far != 0;
    }
  }

  // Each step is shown one step ahead, and its results are collected one step behind.
  void run() {
    first_ = stage_.begin(steps_, kReducedAround);
    show(0);
    if (reaches_all()) {
      reduce_into_all(state_, reduction_);
      stage_.finish(first_ + steps_ - 1);
      stage_.await_done(first_ + steps_ - 1);
      return;
    }
    for (uint64_t i = 0; i < steps_; ++i) {
      if (i + 1 < steps_) show(i + 1);
      reduce(i);
      if (i != 0) collect(i - 1);
    }
    collect(steps_ - 1);
    // Who has collected all slices knows that all have read their part of send.
    if (!own_.recv.staged() || (!own_.send.staged() && !receives_)) {
      stage_.await_done(first_ + steps_ - 1);
    }
  }

 private:
  Slices slices(uint64_t i) const {
    const uint64_t from = i * most_;
    return {from, std::min(most_, call_.count - from), reduction_.element, stage_.size()};
  }

  // Whether every rank's operands can be looked into: then all ranks see that they can, and there
  // are no further steps. Asked only by who has told where its own are.
  bool reaches_all() {
    if (own_.send.staged() || own_.recv.staged()) return false;
    bool all = true;
    for (uint32_t k = 1; k < stage_.size(); ++k) {
      const uint32_t r = stage_.peer(k);
      find_operands(r, stage_.read(r, first_));
      all = all && state_.peer_send[r] != nullptr && state_.peer_recv[r] != nullptr;
    }
    return all;
  }

  void find_operands(uint32_t rank, const Card& card) {
    const Operands told = operands_of(card);
    state_.peer_send[rank] = state_.operands.find(rank, told.send, reduction_.bytes);
    state_.peer_recv[rank] = state_.operands.find(rank, told.recv, reduction_.bytes);
  }

  void show(uint64_t i) {
    const uint64_t step = first_ + i;
    Card& card = stage_.claim(step);
    if (own_.send.staged()) {
      const Slices of = slices(i);
      std::byte* const slot = stage_.slot(step);
      for (uint32_t k = 1; k < stage_.size(); ++k) {
        const uint32_t r = stage_.peer(k);
        stage_.show(slot + of.in_slot(r), at(call_.send, of.in_operand(r)), of.bytes(r));
      }
    }
    write_operands(card, own_);
    stage_.publish(step);
  }

  void reduce(uint64_t i) {
    const uint64_t step = first_ + i;
    const Slices of = slices(i);
    for (uint32_t k = 1; k < stage_.size(); ++k) {
      const uint32_t r = stage_.peer(k);
      const std::byte* const shown = stage_.slot(r, step) + of.in_slot(rank_);
      const Card& card = stage_.read(r, step, shown, of.bytes(rank_));
      if (i == 0) {
        find_operands(r, card);
        if (reduction_.receiver == rank_) state_.told_far = operands_of(card).far != 0;
      }
      const std::byte* const direct = state_.peer_send[r];
      state_.sources[r] = direct != nullptr ? direct + of.in_operand(rank_) : shown;
    }
    state_.sources[rank_] = at(call_.send, of.in_operand(rank_));
    // Straight into the result where the others find it there, or where nobody else needs it.
    if (!own_.recv.staged() || reduction_.receiver == rank_) {
      combine(at(call_.recv, of.in_operand(rank_)), of.length(rank_));
    } else {
      reduce_into_slot(step, of);
    }
    stage_.publish_reduced(step);
  }

  void combine(std::byte* result, uint64_t count) {
    reduction_.kernel(result, state_.sources.data(), stage_.size(), count, call_.scalar,
                      stage_.size());
  }

  // Whose slot the results of a rank's slice are put into. Of two ranks into that of the other one,
  // where its operand was: this rank's core has the lines, and the other's gets back what it writes
  // into next. Of more each rank has many readers, and puts them into the own slot, where no other
  // rank needs what send has.
  uint32_t slot_of_results(uint32_t rank) const { return stage_.size() == 2 ? 1 - rank : rank; }

  // What goes around the caches is summed up beside the slot.
  void reduce_into_slot(uint64_t step, const Slices& of) {
    std::byte* slot = stage_.slot(slot_of_results(rank_), step) + of.in_slot(rank_);
    const bool beside = stage_.goes_around(of.bytes(rank_));
    const uint64_t most = kBlockBytes / reduction_.element;
    uint64_t offset = of.in_operand(rank_);
    for (uint64_t left = of.length(rank_); left != 0;) {
      const uint64_t count = std::min(most, left);
      const uint64_t bytes = count * reduction_.element;
      std::byte* const result = beside ? state_.sums_of(kBlockBytes) : slot;
      std::byte* const kept = at(call_.recv, offset);
      if (pair_ != nullptr) {
        pair_(result, kept, state_.sources[0], state_.sources[1], count, stage_.size());
      } else {
        combine(result, count);
        if (receives_) state_.copies.result(kept, result, bytes, reduction_.bytes);
      }
      if (beside) stage_.show(slot, result, bytes);
      for (const void*& source : state_.sources) source = at(source, bytes);
      slot += bytes;
      offset += bytes;
      left -= count;
    }
  }

  void collect(uint64_t i) {
    const uint64_t step = first_ + i;
    if (receives_) {
      const Slices of = slices(i);
      for (uint32_t k = 1; k < stage_.size(); ++k) {
        const uint32_t r = stage_.peer(k);
        if (of.length(r) == 0) continue;
        stage_.await_reduced(r, step);
        std::byte* const to = at(call_.recv, of.in_operand(r));
        if (state_.peer_recv[r] != nullptr) {
          stage_.take(to, state_.peer_recv[r] + of.in_operand(r), of.bytes(r), reduction_.bytes);
        } else {
          stage_.take_over(to, stage_.slot(slot_of_results(r), step) + of.in_slot(r), of.bytes(r),
                           reduction_.bytes);
        }
      }
    }
    stage_.finish(step);
  }

  State& state_;
  Stage& stage_;
  const Reduction& reduction_;
  const muster_call& call_;
  const uint32_t rank_;
  const uint64_t most_;  // elements of a step
  const uint64_t steps_;
  const bool receives_;
  const muster_host_reduce_pair pair_;  // NULL: results are copied from where they are shown
  Operands own_;
  uint64_t first_ = 0;
};

void run(State& state, const muster_call& call, uint32_t receiver, uint64_t one_shot_bytes) {
  if (call.count == 0) return;
  const uint64_t element = element_bytes(call);
  const Reduction reduction{state.kernels.of(call), call, element, call.count * element, receiver};
  if (reduction.bytes <= kCardBytes) return tiny(state, reduction);
  if (reduction.bytes <= one_shot_bytes) return one_shot(state, reduction);
  // Of two ranks far apart one shot sends less over the long way, whatever the size: in two the
  // root shows half, and takes it back reduced. Within one cache two share the work.
  if (receiver != Reduction::kEveryone && state.size() == 2 && state.told_far) {
    return one_shot_to_root(state, reduction);
  }
  TwoShot(state, reduction).run();
}

}  // namespace

void all_reduce(State& state, const muster_call& call) {
  run(state, call, Reduction::kEveryone, state.settings.bands.all_reduce);
}
void reduce(State& state, const muster_call& call) {
  run(state, call, call.root, state.settings.bands.reduce);
}

}  // namespace muster::shm
