// A group as the runtime holds it: what the path of a call reads comes first, the rest is cold.
//
// Made by agree/group_setup, used by one thread at a time (the thread of the queue counts as the
// group's while it runs calls).
#ifndef MUSTER_CORE_DISPATCH_GROUP_HPP
#define MUSTER_CORE_DISPATCH_GROUP_HPP

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

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
  kAttentionQueue = 1u << 1,    // started calls may be outstanding
  kAttentionChecked = 1u << 2,  // checked mode
};

// One connected backend of one group.
struct LiveBackend {
  const Plugin* plugin = nullptr;
  const muster_backend* table = nullptr;
  muster_host_group host;
  muster_backend_group* state = nullptr;
};

struct Counter {
  uint64_t calls = 0;
  uint64_t bytes = 0;
};

class CallQueue;

}  // namespace muster

struct muster_layout;

struct muster_group {
  // ---- read by every call ----
  std::atomic<uint32_t> attention{0};
  uint32_t rank = 0;
  uint32_t size = 1;
  muster_phase phase = MUSTER_EAGER;
  muster::PhaseClass phase_class = muster::kPhaseEager;
  muster_memory memory = MUSTER_HOST;
  // Of the table: the rows of the group's memory kind in its present phase (NULL: nobody serves
  // that kind), and the arrays.
  const uint32_t* plane = nullptr;
  const muster::Band* bands = nullptr;
  const muster::Candidate* candidates = nullptr;
  muster::Counter* counters = nullptr;  // [operation][backend of the chain, last: composed]
  uint32_t counter_stride = 1;
  muster::GroupContext context;

  // ---- cold ----
  const muster::Table* table = nullptr;
  muster_runtime* runtime = nullptr;
  std::string name;
  muster::Chain chain;
  std::list<muster::LiveBackend> backends;  // stable addresses; those of chain.backends, by id
  std::vector<muster::Counter> counter_store;
  std::vector<std::string>
      shown_names;  // by backend of the chain; "composed(...)" names are made on demand
  std::list<std::string> composed_names;
  std::unique_ptr<muster::CallQueue> queue;
  muster::GroupMemory registered{*this};  // goes after the backends' parts
  std::atomic<uint32_t> outstanding{0};   // works and plans not released
  std::atomic<bool> in_call{false};       // checked mode: a thread is in a call
  std::string broken_by;                  // the cause, once broken
  // The layout whose group this is, gone with the last of its groups; none: the program's own.
  std::shared_ptr<const muster_layout> layout;

  muster_group();
  ~muster_group();  // destroys the backends' parts

  // Eager, or a graph phase; selects the rows.
  void enter(muster_phase next);

  muster::Counter& counter(muster_op op, uint16_t backend) {
    const uint32_t column = backend == muster::kComposed ? counter_stride - 1 : backend;
    return counters[op * counter_stride + column];
  }
};

#endif
