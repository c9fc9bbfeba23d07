// scatter and all_to_all: a slot holds one piece for each rank.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {
namespace {

// Shows every other rank its piece of the blocks at `blocks`, `bytes` each.
void show_pieces(Stage& stage, const void* blocks, uint64_t bytes, uint64_t from, uint64_t length,
                 uint64_t most) {
  std::byte* const slot = stage.claim();
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    copy_bytes(slot + r * most, at(blocks, r * bytes + from), length);
  }
  stage.publish();
}

uint64_t most_per_piece(const Stage& stage) {
  return stage.slot_bytes() / stage.size() / kCacheLine * kCacheLine;
}

}  // namespace

void scatter(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  const uint64_t most = most_per_piece(stage);
  for (uint64_t from = 0; from < bytes; from += most) {
    const uint64_t length = std::min(most, bytes - from);
    stage.begin();
    if (rank == call.root) {
      show_pieces(stage, call.send, bytes, from, length, most);
    } else {
      copy_bytes(at(call.recv, from), stage.read(call.root) + rank * most, length);
    }
    stage.finish();
  }
  if (rank == call.root && bytes != 0) {
    copy_own(call.recv, at(call.send, rank * bytes), bytes);
  }
}

// In place a piece is overwritten in the step in which it was shown, after it was copied out.
void all_to_all(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  const uint64_t most = most_per_piece(stage);
  for (uint64_t from = 0; from < bytes; from += most) {
    const uint64_t length = std::min(most, bytes - from);
    stage.begin();
    show_pieces(stage, call.send, bytes, from, length, most);
    for (uint32_t i = 1; i < stage.size(); ++i) {
      const uint32_t r = stage.peer(i);
      copy_bytes(at(call.recv, r * bytes + from), stage.read(r) + rank * most, length);
    }
    stage.finish();
  }
  if (bytes != 0) copy_own(at(call.recv, rank * bytes), at(call.send, rank * bytes), bytes);
}

}  // namespace muster::shm
