// The operations, by family. Each takes the state of the group and a call; all throw.
// Thread rule: [group-serial] [collective].
#ifndef MUSTER_PLUGINS_SHM_COLLECTIVES_HPP
#define MUSTER_PLUGINS_SHM_COLLECTIVES_HPP

#include <cstdint>
#include <vector>

#include "muster/call.h"
#include "plugins/backends/shm/blocks.hpp"
#include "plugins/backends/shm/copy.hpp"
#include "plugins/backends/shm/mailbox.hpp"
#include "plugins/backends/shm/norm_table.hpp"
#include "plugins/backends/shm/reduce_table.hpp"
#include "plugins/backends/shm/settings.hpp"
#include "plugins/backends/shm/stage.hpp"

namespace muster::shm {

// What the operations work with: the group's protocols, and room that calls reuse.
struct State {
  State(plugin::Group group, const Settings& settings)
      : settings(settings),
        stage(group, settings.epoch_start),
        mailbox(group, settings.epoch_start),
        send_blocks(group.size()),
        recv_blocks(group.size()),
        sources(group.size()) {}

  uint32_t rank() const { return stage.rank(); }
  uint32_t size() const { return stage.size(); }

  Settings settings;
  Stage stage;
  Mailbox mailbox;
  ReduceTable kernels;
  NormTable norms;
  Blocks send_blocks;
  Blocks recv_blocks;
  std::vector<const void*> sources;
  std::vector<Transfer> transfers;

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
// Out of place; in place there is nothing to do.
inline void copy_own(void* to, const void* from, uint64_t bytes) {
  if (to != from) copy_bytes(to, from, bytes);
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
