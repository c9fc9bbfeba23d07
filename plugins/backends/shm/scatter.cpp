// scatter and all_to_all: in each step a piece for each rank.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/pieces.hpp"

namespace muster::shm {
namespace {

// all_to_all of two far ranks.
void exchange_all(State& state, const muster_call& call, const Pieces& pieces,
                  const Blocks& blocks) {
  const uint32_t rank = state.rank();
  const uint32_t peer = 1 - rank;
  const uint64_t most = pieces.most();
  exchange(
      state.stage, pieces.steps(),
      [&](uint64_t step, uint64_t i) { return pieces.shown_to(peer, step, i); },
      [&](uint64_t i) {
        const Piece own = blocks.piece(rank, i * most, most);
        return Copy{at(call.recv, own.at), at(call.send, own.at),
                    call.send == call.recv ? 0 : own.bytes};
      },
      [&](uint64_t step, uint64_t i) {
        const Piece piece = blocks.piece(peer, i * most, most);
        return Copy{at(call.recv, piece.at), pieces.read(peer, step, i), piece.bytes};
      },
      [&](Card& card) { pieces.tell(card); });
}

}  // namespace

void scatter(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  const bool is_root = rank == call.root;
  const uint64_t whole = bytes * stage.size();
  Blocks& blocks = state.send_blocks;
  blocks.assign(element_bytes(call), call.count);
  if (fit_card(blocks)) {
    const uint64_t step = stage.begin(1);
    if (is_root) {
      fill_card(stage.claim(step), call.send, blocks, rank);
      stage.publish(step);
    } else {
      const Card& card = stage.read(call.root, step);
      copy_bytes(call.recv, in_card(card, blocks, call.root, rank), bytes);
    }
    stage.finish(step);
  } else {
    const Operand told = is_root ? state.operands.tell(call.send, whole) : Operand{};
    const Pieces pieces(state, call.send, blocks, told);
    const uint64_t steps = pieces.steps();
    const uint64_t first = stage.begin(steps);
    for (uint64_t i = 0; i < steps; ++i) {
      if (is_root) {
        pieces.show(first + i, i);
      } else {
        const Piece own = blocks.piece(rank, i * pieces.most(), pieces.most());
        stage.take(at(call.recv, i * pieces.most()), pieces.read(call.root, first + i, i),
                   own.bytes, bytes);
      }
      stage.finish(first + i);
    }
    if (!told.staged()) stage.await_done(first + steps - 1);
  }
  if (is_root) state.copies.own(call.recv, at(call.send, rank * bytes), bytes, bytes);
}

// In place a piece is overwritten only after the step in which it was shown was published: it is
// staged, whatever memory it lies in.
void all_to_all(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  if (bytes == 0) return;
  const uint64_t whole = bytes * stage.size();
  Blocks& blocks = state.send_blocks;
  blocks.assign(element_bytes(call), call.count);
  if (fit_card(blocks)) {
    const uint64_t step = stage.begin(1);
    fill_card(stage.claim(step), call.send, blocks, rank);
    stage.publish(step);
    for (uint32_t k = 1; k < stage.size(); ++k) {
      const uint32_t r = stage.peer(k);
      const Card& card = stage.read(r, step);
      copy_bytes(at(call.recv, r * bytes), in_card(card, blocks, r, rank), bytes);
    }
    stage.finish(step);
  } else {
    const Operand told = call.send == call.recv ? Operand{} : state.operands.tell(call.send, whole);
    const Pieces pieces(state, call.send, blocks, told);
    if (told.staged() && state.exchanges(whole)) return exchange_all(state, call, pieces, blocks);
    uint64_t last = 0;
    const auto take = [&](uint64_t step, uint64_t i) {
      last = step;
      for (uint32_t k = 1; k < stage.size(); ++k) {
        const uint32_t r = stage.peer(k);
        const Piece piece = blocks.piece(r, i * pieces.most(), pieces.most());
        const std::byte* const shown = pieces.read(r, step, i);
        take_from(state, r, at(call.recv, piece.at), shown, piece.bytes, whole);
      }
    };
    pipeline(
        stage, pieces.steps(), kMovedAround,
        [&](uint64_t step, uint64_t i) { pieces.show(step, i); }, take);
    if (!told.staged()) stage.await_done(last);
  }
  state.copies.own(at(call.recv, rank * bytes), at(call.send, rank * bytes), bytes, whole);
}

}  // namespace muster::shm
