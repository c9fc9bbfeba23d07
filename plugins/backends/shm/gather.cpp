// all_gather(v) and gather: in each step every rank shows a chunk of its block.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {
namespace {

// Every block fits into a card.
void tiny(State& state, const muster_call& call, const Blocks& blocks) {
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  copy_bytes(stage.claim(step).data, call.send, blocks[state.rank()].bytes);
  stage.publish_unfenced(step);
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    copy_bytes(at(call.recv, blocks[r].offset), stage.read(r, step).data, blocks[r].bytes);
  }
  stage.finish(step);
}

// In chunks. `takes`: this rank needs the blocks of the others.
void chunked(State& state, const muster_call& call, const Blocks& blocks, uint64_t whole,
             bool takes) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t most = stage.slot_bytes();
  const Operands own = {
      blocks[rank].bytes == 0 ? Operand{} : state.operands.tell(call.send, blocks[rank].bytes), {}};
  uint64_t last = 0;
  const auto show = [&](uint64_t step, uint64_t i) {
    write_operands(stage.claim(step), own);
    const Piece piece = blocks.piece(rank, i * most, most);
    if (own.send.staged()) stage.show(stage.slot(step), at(call.send, i * most), piece.bytes);
    stage.publish(step);
  };
  const auto take = [&](uint64_t step, uint64_t i) {
    last = step;
    for (uint32_t k = 1; takes && k < stage.size(); ++k) {
      const uint32_t r = stage.peer(k);
      const Piece piece = blocks.piece(r, i * most, most);
      if (piece.bytes == 0 && i != 0) continue;
      const Card& card = stage.read(r, step);
      if (i == 0) {
        state.peer_send[r] = state.operands.find(r, operands_of(card).send, blocks[r].bytes);
      }
      const std::byte* const shown =
          state.peer_send[r] != nullptr ? state.peer_send[r] + i * most : stage.slot(r, step);
      stage.take(at(call.recv, piece.at), shown, piece.bytes, whole);
    }
  };
  pipeline(stage, (blocks.largest() + most - 1) / most, show, take);
  if (!own.send.staged()) stage.await_done(last);
}

}  // namespace

void all_gather(State& state, const muster_call& call) {
  Blocks& blocks = state.recv_blocks;
  if (call.op == MUSTER_ALL_GATHERV) {
    blocks.assign(element_bytes(call), call.recv_counts, call.recv_displs);
  } else {
    blocks.assign(element_bytes(call), call.count);
  }
  if (blocks.largest() == 0) return;
  if (blocks.largest() <= kCardBytes) {
    tiny(state, call, blocks);
  } else {
    chunked(state, call, blocks, state.size() * blocks.largest(), true);
  }
  const Block& own = blocks[state.rank()];
  state.copies.own(at(call.recv, own.offset), call.send, own.bytes,
                   state.size() * blocks.largest());
}

void gather(State& state, const muster_call& call) {
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  Stage& stage = state.stage;
  const bool is_root = state.rank() == call.root;
  const auto take_own = [&] {
    if (!is_root) return;
    state.copies.own(at(call.recv, call.root * bytes), call.send, bytes, state.size() * bytes);
  };
  if (bytes > kCardBytes) {
    take_own();  // while the others show their first chunks
    state.recv_blocks.assign(element_bytes(call), call.count);
    chunked(state, call, state.recv_blocks, state.size() * bytes, is_root);
  } else {
    const uint64_t step = stage.begin(1);
    if (is_root) {
      for (uint32_t i = 1; i < stage.size(); ++i) {
        const uint32_t r = stage.peer(i);
        copy_bytes(at(call.recv, r * bytes), stage.read(r, step).data, bytes);
      }
    } else {
      copy_bytes(stage.claim(step).data, call.send, bytes);
      stage.publish(step);
    }
    stage.finish(step);
    take_own();
  }
}

}  // namespace muster::shm
