// all_reduce and reduce, in one of two ways. One shot: every rank shows its data, and whoever needs
// the result reduces all of it. Two shot, in chunks: every rank shows its chunk, reduces one slice
// of it into its own slot, and whoever needs the result collects the slices.
#include <algorithm>

#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {
namespace {

constexpr uint32_t kEveryone = UINT32_MAX;

struct Reduction {
  muster_host_reduce kernel;
  const muster_call& call;
  uint64_t element;
  uint32_t receiver;  // a rank, or kEveryone

  bool received_by(uint32_t rank) const { return receiver == kEveryone || receiver == rank; }
};

void one_shot(State& state, const Reduction& reduction) {
  const muster_call& call = reduction.call;
  Stage& stage = state.stage;
  stage.begin();
  if (reduction.receiver != state.rank()) {  // somebody else looks
    copy_bytes(stage.claim(), call.send, call.count * reduction.element);
    stage.publish();
  }
  if (reduction.received_by(state.rank())) {
    state.sources[state.rank()] = call.send;
    for (uint32_t i = 1; i < stage.size(); ++i) {
      state.sources[stage.peer(i)] = stage.read(stage.peer(i));
    }
    reduction.kernel(call.recv, state.sources.data(), stage.size(), call.count, call.scalar,
                     stage.size());
  }
  stage.finish();
}

// One step of two shot: `count` elements from element `from` on.
void two_shot_step(State& state, const Reduction& reduction, uint64_t from, uint64_t count) {
  const muster_call& call = reduction.call;
  const uint64_t element = reduction.element;
  Stage& stage = state.stage;
  // Slices begin at cache lines, so that no two ranks write to one.
  const uint64_t line = kCacheLine / element;
  const uint64_t per_rank = ((count + stage.size() - 1) / stage.size() + line - 1) / line * line;
  const auto begin = [&](uint32_t rank) { return std::min(count, rank * per_rank); };
  const auto length = [&](uint32_t rank) { return begin(rank + 1) - begin(rank); };

  stage.begin();
  std::byte* const slot = stage.claim();
  copy_bytes(slot, at(call.send, from * element), count * element);
  stage.publish();

  const uint32_t rank = state.rank();
  if (length(rank) != 0) {
    for (uint32_t r = 0; r < stage.size(); ++r) {
      const std::byte* const shown = r == rank ? slot : stage.read(r);
      state.sources[r] = shown + begin(rank) * element;
    }
    // Into the own slot: nobody else looks at this slice of it before it is told to be reduced.
    reduction.kernel(slot + begin(rank) * element, state.sources.data(), stage.size(), length(rank),
                     call.scalar, stage.size());
    stage.publish_reduced();
  }
  if (reduction.received_by(rank)) {
    std::byte* const result = at(call.recv, from * element);
    for (uint32_t i = 0; i < stage.size(); ++i) {
      const uint32_t r = stage.peer(i);
      if (length(r) == 0) continue;
      const std::byte* const reduced = r == rank ? slot : stage.read_reduced(r);
      copy_bytes(result + begin(r) * element, reduced + begin(r) * element, length(r) * element);
    }
  }
  stage.finish();
}

void run(State& state, const muster_call& call, uint32_t receiver) {
  if (call.count == 0) return;
  const Reduction reduction{state.kernels.of(call), call, element_bytes(call), receiver};
  const uint64_t bytes = call.count * reduction.element;
  if (bytes <= one_shot_limit(state.settings.one_shot_bytes, state.settings.chunk_bytes)) {
    one_shot(state, reduction);
    return;
  }
  const uint64_t most = state.stage.slot_bytes() / reduction.element;
  for (uint64_t from = 0; from < call.count; from += most) {
    two_shot_step(state, reduction, from, std::min(most, call.count - from));
  }
}

}  // namespace

void all_reduce(State& state, const muster_call& call) { run(state, call, kEveryone); }
void reduce(State& state, const muster_call& call) { run(state, call, call.root); }

}  // namespace muster::shm
