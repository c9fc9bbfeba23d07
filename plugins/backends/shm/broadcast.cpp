// broadcast, the root up to kSlots steps ahead of the slowest; barrier, a step without data.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {
namespace {

void tiny(State& state, const muster_call& call, uint64_t bytes) {
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  if (state.rank() == call.root) {
    copy_bytes(stage.claim(step).data, call.send, bytes);
    stage.publish(step);
  } else {
    copy_bytes(call.recv, stage.read(call.root, step).data, bytes);
  }
  stage.finish(step);
}

// Bytes of a step: several steps, so that the others copy out while the root copies in.
uint64_t step_bytes(const Stage& stage, uint64_t bytes) {
  const uint64_t part = (bytes / kSlots + kCacheLine - 1) / kCacheLine * kCacheLine;
  return std::min(stage.slot_bytes(), std::max(part, kPage));
}

void show_all(State& state, const muster_call& call, uint64_t bytes) {
  Stage& stage = state.stage;
  const uint64_t most = step_bytes(stage, bytes);
  const uint64_t steps = (bytes + most - 1) / most;
  const uint64_t first = stage.begin(steps);
  const Operands own = {state.operands.tell(call.send, bytes), {}};
  for (uint64_t i = 0; i < steps; ++i) {
    write_operands(stage.claim(first + i), own);
    if (own.send.staged()) {
      stage.show(stage.slot(first + i), at(call.send, i * most), std::min(most, bytes - i * most));
    }
    stage.publish(first + i);
    stage.finish(first + i);
  }
  if (!own.send.staged()) stage.await_done(first + steps - 1);
}

void take_all(State& state, const muster_call& call, uint64_t bytes) {
  Stage& stage = state.stage;
  const uint64_t most = step_bytes(stage, bytes);
  const uint64_t steps = (bytes + most - 1) / most;
  const uint64_t first = stage.begin(steps);
  const std::byte* direct = nullptr;
  for (uint64_t i = 0; i < steps; ++i) {
    const Card& card = stage.read(call.root, first + i);
    if (i == 0) direct = state.operands.find(call.root, operands_of(card).send, bytes);
    const std::byte* const shown =
        direct != nullptr ? direct + i * most : stage.slot(call.root, first + i);
    stage.take(at(call.recv, i * most), shown, std::min(most, bytes - i * most), bytes);
    stage.finish(first + i);
  }
}

}  // namespace

void broadcast(State& state, const muster_call& call) {
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  const bool is_root = state.rank() == call.root;
  if (bytes <= kCardBytes) {
    tiny(state, call, bytes);
  } else if (is_root) {
    show_all(state, call, bytes);
  } else {
    take_all(state, call, bytes);
  }
  if (is_root && call.recv != nullptr) state.copies.own(call.recv, call.send, bytes, bytes);
}

void barrier(State& state) {
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  stage.claim(step);
  stage.publish_unfenced(step);
  for (uint32_t i = 1; i < stage.size(); ++i) stage.read(stage.peer(i), step);
  stage.finish(step);
}

}  // namespace muster::shm
