// reduce_scatter(v): in each step every rank shows one piece for each other rank, and reduces the
// pieces that the others show for it.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/pieces.hpp"

namespace muster::shm {
namespace {

void tiny(State& state, const muster_call& call, muster_host_reduce kernel, const Blocks& blocks) {
  Stage& stage = state.stage;
  const uint32_t rank = state.rank();
  const Block& own = blocks[rank];
  const uint64_t step = stage.begin(1);
  fill_card(stage.claim(step), call.send, blocks, rank);
  stage.publish(step);
  state.sources[rank] = at(call.send, own.offset);
  for (uint32_t i = 1; i < stage.size(); ++i) {
    const uint32_t r = stage.peer(i);
    state.sources[r] = in_card(stage.read(r, step), blocks, r, rank);
  }
  if (own.bytes != 0) {
    kernel(call.recv, state.sources.data(), stage.size(), own.bytes / element_bytes(call),
           call.scalar, stage.size());
  }
  stage.finish(step);
}

}  // namespace

void reduce_scatter(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const muster_host_reduce kernel = state.kernels.of(call);
  const uint64_t element = element_bytes(call);
  Blocks& blocks = state.send_blocks;
  if (call.op == MUSTER_REDUCE_SCATTERV) {
    blocks.assign(element, call.recv_counts, nullptr);  // always packed
  } else {
    blocks.assign(element, call.count);
  }
  const uint64_t extent = blocks.end();
  if (extent == 0) return;
  if (fit_card(blocks)) return tiny(state, call, kernel, blocks);

  const uint32_t rank = state.rank();
  const Operand told = state.operands.tell(call.send, extent);
  const Pieces pieces(state, call.send, blocks, told);
  uint64_t last = 0;
  const auto take = [&](uint64_t step, uint64_t i) {
    last = step;
    const Piece own = blocks.piece(rank, i * pieces.most(), pieces.most());
    if (own.bytes == 0 && i != 0) return;
    for (uint32_t k = 1; k < stage.size(); ++k) {
      const uint32_t r = stage.peer(k);
      const std::byte* const shown = pieces.read(r, step, i);
      if (state.peer_send[r] == nullptr) stage.claim_shown(shown, own.bytes);
      state.sources[r] = shown;
    }
    if (own.bytes == 0) return;
    state.sources[rank] = at(call.send, own.at);
    kernel(at(call.recv, i * pieces.most()), state.sources.data(), stage.size(),
           own.bytes / element, call.scalar, stage.size());
  };
  pipeline(
      stage, pieces.steps(), kReducedAround,
      [&](uint64_t step, uint64_t i) { pieces.show(step, i); }, take);
  if (!told.staged()) stage.await_done(last);
}

}  // namespace muster::shm
