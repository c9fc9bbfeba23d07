// all_gather(v) and gather: in each step every rank shows a chunk of its block.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/one_way.hpp"

namespace muster::shm {
namespace {

// Every block fits into a card.
void tiny(State& state, const muster_call& call, const Blocks& blocks) {
  Stage& stage = state.stage;
  const uint64_t step = stage.begin(1);
  copy_bytes(stage.claim(step).data, call.send, blocks[state.rank()].bytes);
  stage.publish(step);
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    copy_bytes(at(call.recv, blocks[r].offset), stage.read(r, step).data, blocks[r].bytes);
  }
  stage.finish(step);
  const Block& own = blocks[state.rank()];
  state.copies.own(at(call.recv, own.offset), call.send, own.bytes, own.bytes);
}

// Into a slot and into the own place in the result: in parts that stay in a near cache.
void show_along(State& state, std::byte* slot, std::byte* result, const std::byte* from,
                uint64_t bytes) {
  constexpr uint64_t kPartBytes = 32768;
  for (uint64_t offset = 0; offset < bytes; offset += kPartBytes) {
    const uint64_t part = std::min(kPartBytes, bytes - offset);
    state.stage.show(slot + offset, from + offset, part);
    state.copies.own(result + offset, from + offset, part, 0);
  }
}

// The part of another rank's block that a step of `most` bytes moves.
const std::byte* shown_by(State& state, const Blocks& blocks, uint32_t peer, uint64_t step,
                          uint64_t i, uint64_t most) {
  const std::byte* const shown = state.stage.slot(peer, step);
  const Card& card = state.stage.read(peer, step, shown, blocks[peer].bytes);
  std::byte*& direct = state.peer_send[peer];
  if (i == 0) direct = state.operands.find_told(peer, card, blocks[peer].bytes);
  return direct != nullptr ? direct + i * most : shown;
}

// all_gather of two far ranks, in steps of `most` bytes.
void exchange_blocks(State& state, const muster_call& call, const Blocks& blocks, uint64_t most) {
  const uint32_t rank = state.rank();
  const uint32_t peer = 1 - rank;
  const auto of_own = [&](std::byte* to, uint64_t i) {
    return Copy{to, at(call.send, i * most), blocks.piece(rank, i * most, most).bytes};
  };
  exchange(
      state.stage, (blocks.largest() + most - 1) / most,
      [&](uint64_t step, uint64_t i) { return of_own(state.stage.slot(step), i); },
      [&](uint64_t i) {
        std::byte* const to = at(call.recv, blocks[rank].offset + i * most);
        return to == at(call.send, i * most) ? Copy{} : of_own(to, i);
      },
      [&](uint64_t step, uint64_t i) {
        const Piece piece = blocks.piece(peer, i * most, most);
        return Copy{at(call.recv, piece.at), shown_by(state, blocks, peer, step, i, most),
                    piece.bytes};
      },
      [&](Card& card) { state.operands.write_told(card, {}, blocks[rank].bytes); });
}

// In chunks.
void chunked(State& state, const muster_call& call, const Blocks& blocks, uint64_t whole) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t most = stage.slot_bytes();
  const Operand own =
      blocks[rank].bytes == 0 ? Operand{} : state.operands.tell(call.send, blocks[rank].bytes);
  if (own.staged() && state.exchanges(whole)) return exchange_blocks(state, call, blocks, most);
  // Between far cores the own block is put in its place along with being shown, part by part, so
  // that it is read from the farther caches once. Elsewhere, and where results do not fit the
  // caches, both copies are faster one by one.
  const bool along =
      own.staged() && state.moves_around(blocks[rank].bytes) && whole < state.settings.stream_bytes;
  uint64_t last = 0;
  const auto show = [&](uint64_t step, uint64_t i) {
    Card& card = stage.claim(step);
    const Piece piece = blocks.piece(rank, i * most, most);
    const std::byte* const from = at(call.send, i * most);
    if (along) {
      show_along(state, stage.slot(step), at(call.recv, piece.at), from, piece.bytes);
    } else if (own.staged()) {
      stage.show(stage.slot(step), from, piece.bytes);
    }
    state.operands.write_told(card, own, blocks[rank].bytes);
    stage.publish(step);
  };
  const auto take = [&](uint64_t step, uint64_t i) {
    last = step;
    for (uint32_t k = 1; k < stage.size(); ++k) {
      const uint32_t r = stage.peer(k);
      const Piece piece = blocks.piece(r, i * most, most);
      if (piece.bytes == 0 && i != 0) continue;
      const std::byte* const shown = shown_by(state, blocks, r, step, i, most);
      take_from(state, r, at(call.recv, piece.at), shown, piece.bytes, whole);
    }
  };
  pipeline(stage, (blocks.largest() + most - 1) / most, kMovedAround, show, take);
  if (!along) {
    state.copies.own(at(call.recv, blocks[rank].offset), call.send, blocks[rank].bytes, whole);
  }
  if (!own.staged()) stage.await_done(last);
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
    chunked(state, call, blocks, state.size() * blocks.largest());
  }
}

void gather(State& state, const muster_call& call) {
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  Stage& stage = state.stage;
  const bool is_root = state.rank() == call.root;
  const auto take_own = [&] {
    state.copies.own(at(call.recv, call.root * bytes), call.send, bytes, state.size() * bytes);
  };
  if (bytes > kCardBytes) {
    OneWay way(state, bytes, kPage);
    if (!is_root) return way.show(call.send);
    take_own();  // while the others show their first steps
    return way.take([&](uint64_t offset, uint64_t length) {
      for (uint32_t i = 1; i < stage.size(); ++i) {
        const uint32_t r = stage.peer(i);
        stage.take(at(call.recv, r * bytes + offset), way.shown(r), length, state.size() * bytes);
      }
    });
  }
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
  if (is_root) take_own();
}

}  // namespace muster::shm
