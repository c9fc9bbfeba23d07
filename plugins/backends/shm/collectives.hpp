// The operations, by family. Each takes the state of the group and a call; all throw.
// Thread rule: [group-serial] [collective].
#ifndef MUSTER_PLUGINS_SHM_COLLECTIVES_HPP
#define MUSTER_PLUGINS_SHM_COLLECTIVES_HPP

#include <cstdint>
#include <vector>

#include "muster/call.h"
#include "plugins/backends/shm/blocks.hpp"
#include "plugins/backends/shm/copy.hpp"
#include "plugins/backends/shm/distance.hpp"
#include "plugins/backends/shm/mailbox.hpp"
#include "plugins/backends/shm/norm_table.hpp"
#include "plugins/backends/shm/operands.hpp"
#include "plugins/backends/shm/reduce_table.hpp"
#include "plugins/backends/shm/regions.hpp"
#include "plugins/backends/shm/settings.hpp"
#include "plugins/backends/shm/stage.hpp"

namespace muster::shm {

// Two ranks that show each other operands change slots after each step: then lines of the other's
// core come faster than memory, however far it is, up to here where they are only moved, and at any
// size where they are reduced.
inline constexpr uint64_t kMovedAround = 32768;
inline constexpr uint64_t kReducedAround = UINT64_MAX;

// What the operations work with: the group's protocols, and room that calls reuse.
struct State {
  State(plugin::Group group, const Settings& settings)
      : settings(settings),
        distance(group.size()),
        stage(group, settings.epoch_start),
        mailbox(group, settings.epoch_start),
        regions(group),
        operands(group, &regions, settings.direct_bytes),
        send_blocks(group.size()),
        recv_blocks(group.size()),
        sources(group.size()),
        peer_send(group.size()),
        peer_recv(group.size()) {}

  uint32_t rank() const { return stage.rank(); }
  uint32_t size() const { return stage.size(); }
  // Whether `bytes` that are only moved go around the caches.
  bool moves_around(uint64_t bytes) const {
    return stage.shows_far() && (size() != 2 || bytes >= kMovedAround);
  }
  // Whether exchange() suits an operation with results of `whole` bytes.
  bool exchanges(uint64_t whole) const {
    return size() == 2 && moves_around(whole / 2) && copies.exchanges(whole);
  }

  Settings settings;
  Distance distance;
  Stage stage;
  Mailbox mailbox;
  Regions regions;
  OperandFinder operands;
  CopyTable copies;
  ReduceTable kernels;
  NormTable norms;
  Blocks send_blocks;
  Blocks recv_blocks;
  std::vector<const void*> sources;
  // By rank, of the operation in hand: where the operands of the others can be looked into; NULL:
  // they are staged.
  std::vector<std::byte*> peer_send;
  std::vector<std::byte*> peer_recv;
  std::vector<Transfer> transfers;
  // Of two ranks, what the one that showed said of the distance in the last operation that went one
  // way, or to a root: so both know.
  bool told_far = false;

  // Room of this rank alone for sums on their way; of the largest size asked for so far.
  std::byte* sums_of(uint64_t bytes) {
    if (sums.size() < bytes) sums.resize(bytes);
    return sums.data();
  }
  std::vector<std::byte> sums;
};

inline uint64_t element_bytes(const muster_call& call) { return MUSTER_DTYPE_BYTES(call.dtype); }
inline std::byte* at(void* base, uint64_t offset) { return static_cast<std::byte*>(base) + offset; }
inline const std::byte* at(const void* base, uint64_t offset) {
  return static_cast<const std::byte*>(base) + offset;
}
// Takes what another rank showed in a step in which all show.
inline void take_from(State& state, uint32_t peer, void* to, const std::byte* from, uint64_t bytes,
                      uint64_t whole) {
  if (state.peer_send[peer] == nullptr) {
    state.stage.take_over(to, from, bytes, whole);
  } else {  // the other rank's own memory
    state.stage.take(to, from, bytes, whole);
  }
}

// All ranks show and all take: one step ahead of the step that is taken, so that ranks seldom wait
// for each other: what the others need of a step is there before this rank looks at theirs. steps:
// at least one, or a step would be shown that no rank is ever done with. around_from: see
// Stage::begin.
template <typename Show, typename Take>
void pipeline(Stage& stage, uint64_t steps, uint64_t around_from, const Show& show,
              const Take& take) {
  const uint64_t first = stage.begin(steps, around_from);
  show(first, uint64_t{0});
  for (uint64_t i = 0; i < steps; ++i) {
    if (i + 1 < steps) show(first + i + 1, i + 1);
    take(first + i, i);
    stage.finish_exchange(first + i);
  }
}

// The same for two far ranks that only move, on one whose operand is staged: what is shown next,
// what is taken now, and what goes into the own place of the result, are copied at once.
//   shown(step, i), own(i), taken(step, i)   the three copies of step i
//   tell(card)                               fills a step's card
template <typename Shown, typename Own, typename Taken, typename Tell>
void exchange(Stage& stage, uint64_t steps, const Shown& shown, const Own& own, const Taken& taken,
              const Tell& tell) {
  const uint64_t first = stage.begin(steps, kMovedAround);
  for (uint64_t i = 0; i <= steps; ++i) {  // shows step i, and takes the one before
    const uint64_t step = first + i;
    Card* const next = i < steps ? &stage.claim(step) : nullptr;
    const Copy in = i != 0 ? taken(step - 1, i - 1) : Copy{};
    stage.exchange(i < steps ? shown(step, i) : Copy{}, in, i < steps ? own(i) : Copy{});
    if (next != nullptr) {
      tell(*next);
      stage.publish(step);
    }
    if (i != 0) stage.finish_exchange(step - 1);
  }
}

// all_reduce.cpp
void all_reduce(State& state, const muster_call& call);
void reduce(State& state, const muster_call& call);
// fused.cpp
void fused_all_reduce_rmsnorm(State& state, const muster_call& call);
// reduce_scatter.cpp: also v
void reduce_scatter(State& state, const muster_call& call);
// broadcast.cpp
void broadcast(State& state, const muster_call& call);
void barrier(State& state);
// gather.cpp: all_gather also v
void all_gather(State& state, const muster_call& call);
void gather(State& state, const muster_call& call);
// scatter.cpp
void scatter(State& state, const muster_call& call);
void all_to_all(State& state, const muster_call& call);
// unsized.cpp: the operations whose counts are not known to all ranks
void gatherv(State& state, const muster_call& call);
void scatterv(State& state, const muster_call& call);
void all_to_allv(State& state, const muster_call& call);
// point_to_point.cpp: send, recv and send_recv, any number at once
void point_to_point(State& state, const muster_call* calls, uint32_t count);

}  // namespace muster::shm

#endif
