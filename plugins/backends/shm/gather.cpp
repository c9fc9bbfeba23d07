// all_gather(v) and gather: in each step every rank shows a chunk of its block.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

void all_gather(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  Blocks& blocks = state.recv_blocks;
  if (call.op == MUSTER_ALL_GATHERV) {
    blocks.assign(element_bytes(call), call.recv_counts, call.recv_displs);
  } else {
    blocks.assign(element_bytes(call), call.count);
  }
  const Block& own = blocks[state.rank()];
  const uint64_t most = stage.slot_bytes();
  for (uint64_t from = 0; from < blocks.largest(); from += most) {
    stage.begin();
    const Piece shown = blocks.piece(state.rank(), from, most);
    if (shown.bytes != 0) {
      copy_bytes(stage.claim(), at(call.send, from), shown.bytes);
      stage.publish();
    }
    for (uint32_t i = 1; i < stage.size(); ++i) {
      const uint32_t r = stage.peer(i);
      const Piece piece = blocks.piece(r, from, most);
      if (piece.bytes != 0) copy_bytes(at(call.recv, piece.at), stage.read(r), piece.bytes);
    }
    stage.finish();
  }
  if (own.bytes != 0) copy_own(at(call.recv, own.offset), call.send, own.bytes);
}

void gather(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint64_t bytes = call.count * element_bytes(call);
  const uint64_t most = stage.slot_bytes();
  for (uint64_t from = 0; from < bytes; from += most) {
    const uint64_t length = std::min(most, bytes - from);
    stage.begin();
    if (state.rank() != call.root) {
      copy_bytes(stage.claim(), at(call.send, from), length);
      stage.publish();
    } else {
      for (uint32_t i = 1; i < stage.size(); ++i) {
        const uint32_t r = stage.peer(i);
        copy_bytes(at(call.recv, r * bytes + from), stage.read(r), length);
      }
    }
    stage.finish();
  }
  if (state.rank() == call.root && bytes != 0) {
    copy_own(at(call.recv, call.root * bytes), call.send, bytes);
  }
}

}  // namespace muster::shm
