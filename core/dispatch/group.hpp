// A group as the runtime holds it: what the path of a call reads comes first, the rest is cold.
//
// Made by agree/group_setup, used by one thread at a time (the thread of the queue counts as the
// group's while it runs calls).
#ifndef MUSTER_CORE_DISPATCH_GROUP_HPP
#define MUSTER_CORE_DISPATCH_GROUP_HPP

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/base/step_times.hpp"
#include "core/chain/chain.hpp"
#include "core/dispatch/memory.hpp"
#include "core/query/host_group.hpp"
#include "core/query/plugin.hpp"
#include "muster/backend.h"
#include "muster/muster.h"

namespace muster {

// Why a call may not go straight through; bits of muster_group.attention.
enum Attention : uint32_t {
  kAttentionBroken = 1u << 0,
  kAttentionQueue = 1u << 1,     // started calls may be outstanding
  kAttentionChecked = 1u << 2,   // checked mode
  kAttentionUnserved = 1u << 3,  // no rule names the group's memory kind
};

// One connected backend of one group.
struct LiveBackend {
  const Plugin* plugin = nullptr;
  const muster_backend* table = nullptr;
  muster_host_group host;
  muster_backend_group* state = nullptr;
};

class CallQueue;

}  // namespace muster

struct muster_layout;
struct muster_plan;

struct muster_group {
  // ---- read by every call ----
  std::atomic<uint32_t> attention{0};
  uint32_t rank = 0;
  uint32_t size = 1;
  muster_phase phase = MUSTER_EAGER;
  muster::PhaseClass phase_class = muster::kPhaseEager;
  muster_memory memory = MUSTER_HOST;
  // Of the table: the rows of the group's memory kind in its present phase (NULL: nobody serves
  // that kind).
  const muster::Band* const* plane = nullptr;
  muster::GroupContext context;
  // By [in place][operation]: the record of a call without options, complete but for what such a
  // call gives. Each writes only that, since a group runs one call at a time and writing all of a
  // record costs more than all checks and the lookup.
  std::array<std::array<muster_call, MUSTER_OP_END>, 2> plain_calls;
  // The same by operation, of calls that give a stream beside: each writes it, and its flags.
  std::array<muster_call, MUSTER_OP_END> stream_calls;

  // ---- cold ----
  muster_runtime* runtime = nullptr;
  std::string name;
  muster::Chain chain;
  std::list<muster::LiveBackend> backends;       // stable addresses; those of chain.backends, by id
  std::vector<const muster::LiveBackend*> live;  // by backend of the chain; NULL: "self"
  std::vector<muster::Counter> counters;  // [backend of the chain, last: composed][operation]
  std::vector<std::string>
      shown_names;  // by backend of the chain; "composed(...)" names are made on demand
  std::list<std::string> composed_names;
  std::unique_ptr<muster::CallQueue> queue;
  muster::GroupMemory registered{*this};  // goes after the backends' parts
  std::atomic<uint32_t> outstanding{0};   // works and plans not released
  std::vector<muster_plan*> plans;        // that live; they count their runs themselves
  std::atomic<bool> in_call{false};       // checked mode: a thread is in a call
  std::string broken_by;                  // the cause, once broken
  muster::StepTimes setup_times;
  // The layout whose group this is, gone with the last of its groups; none: the program's own.
  std::shared_ptr<const muster_layout> layout;

  muster_group();
  ~muster_group();  // destroys the backends' parts

  // Finds the connected backends of a compiled chain, makes room for its counters and links its
  // table.
  void link();
  // Eager, or a graph phase; selects the rows.
  void enter(muster_phase next);

  // Who serves a candidate; NULL where no plugin does: "self", and compositions.
  const muster::LiveBackend* live_backend(uint16_t backend) const {
    return backend == muster::kComposed ? nullptr : live[backend];
  }
  // The counters of one backend, by operation.
  muster::Counter* counters_of(uint16_t backend) {
    const size_t row = backend == muster::kComposed ? chain.backends.size() : backend;
    return counters.data() + row * MUSTER_OP_END;
  }
};

#endif
