// reduce_scatter(v): in each step every rank shows one piece for each other rank, and reduces the
// pieces that the others show for it.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

void reduce_scatter(State& state, const muster_call& call) {
  Stage& stage = state.stage;
  const muster_host_reduce kernel = state.kernels.of(call);
  const uint64_t element = element_bytes(call);
  Blocks& blocks = state.send_blocks;
  if (call.op == MUSTER_REDUCE_SCATTERV) {
    blocks.assign(element, call.recv_counts, call.recv_displs);
  } else {
    blocks.assign(element, call.count);
  }
  const uint32_t rank = state.rank();
  const uint64_t most = stage.slot_bytes() / stage.size() / kCacheLine * kCacheLine;
  for (uint64_t from = 0; from < blocks.largest(); from += most) {
    stage.begin();
    std::byte* const slot = stage.claim();
    for (uint32_t i = 1; i < stage.size(); ++i) {
      const uint32_t r = stage.peer(i);
      const Piece piece = blocks.piece(r, from, most);
      copy_bytes(slot + r * most, at(call.send, piece.at), piece.bytes);
    }
    stage.publish();
    const Piece own = blocks.piece(rank, from, most);
    if (own.bytes != 0) {
      for (uint32_t r = 0; r < stage.size(); ++r) {
        state.sources[r] = r == rank ? at(call.send, own.at) : stage.read(r) + rank * most;
      }
      kernel(at(call.recv, from), state.sources.data(), stage.size(), own.bytes / element,
             call.scalar, stage.size());
    }
    stage.finish();
  }
}

}  // namespace muster::shm
