// broadcast in chunks, the root up to kSlots steps ahead of the slowest; barrier, a step without
// data.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

void broadcast(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint64_t bytes = call.count * element_bytes(call);
  for (uint64_t from = 0; from < bytes; from += stage.slot_bytes()) {
    const uint64_t length = std::min(stage.slot_bytes(), bytes - from);
    stage.begin();
    if (state.rank() == call.root) {
      copy_bytes(stage.claim(), at(call.send, from), length);
      stage.publish();
    } else {
      copy_bytes(at(call.recv, from), stage.read(call.root), length);
    }
    stage.finish();
  }
  if (state.rank() == call.root && call.recv != nullptr) copy_own(call.recv, call.send, bytes);
}

void barrier(State& state) {
  Stage& stage = state.stage;
  stage.begin();
  stage.publish();
  for (uint32_t i = 1; i < stage.size(); ++i) stage.read(stage.peer(i));
  stage.finish();
}

}  // namespace muster::shm
