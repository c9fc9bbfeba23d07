// broadcast, the root up to kSlots steps ahead of the slowest; barrier, a step without data.
#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/one_way.hpp"

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

}  // namespace

void broadcast(State& state, const muster_call& call) {
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  const bool is_root = state.rank() == call.root;
  if (bytes <= kCardBytes) {
    tiny(state, call, bytes);
  } else {
    OneWay way(state, bytes, kPage);
    if (is_root) {
      way.show(call.send);
    } else {
      way.take([&](uint64_t offset, uint64_t length) {
        state.stage.take(at(call.recv, offset), way.shown(call.root), length, bytes);
      });
    }
  }
  if (is_root && call.recv != nullptr) state.copies.own(call.recv, call.send, bytes, bytes);
}

void barrier(State& state) {
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  stage.claim(step);
  stage.publish(step);
  for (uint32_t i = 1; i < stage.size(); ++i) stage.read(stage.peer(i), step);
  stage.finish(step);
}

}  // namespace muster::shm
