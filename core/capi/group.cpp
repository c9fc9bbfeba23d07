// muster.h: groups, graphs, insight.
#include "core/dispatch/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/agree/exchange.hpp"
#include "core/agree/group_setup.hpp"
#include "core/agree/runtime.hpp"
#include "core/capi/boundary.hpp"
#include "core/compose/parts.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/queue.hpp"
#include "core/explain/explain.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::null_argument;
using muster::Status;

namespace {

muster::Result<std::vector<uint32_t>> ranks_of(const muster_runtime& runtime, const uint32_t* ranks,
                                               uint32_t count) {
  std::vector<uint32_t> list;
  if (ranks == nullptr) {
    for (uint32_t r = 0; r < runtime.world->size(); ++r) list.push_back(r);
    return list;
  }
  list.assign(ranks, ranks + count);
  std::set<uint32_t> seen;
  for (const uint32_t rank : list) {
    if (rank >= runtime.world->size() || !seen.insert(rank).second) {
      return Status(
          MUSTER_INVALID_ARGUMENT,
          fmt::format("muster_group_create: rank {} is {}", rank,
                      rank >= runtime.world->size()
                          ? fmt::format("outside the world of {} ranks", runtime.world->size())
                          : std::string("listed twice")),
          "give every member's world rank once");
    }
  }
  if (seen.count(runtime.world->rank()) == 0) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("muster_group_create: this rank ({}) is not in the list",
                              runtime.world->rank()),
                  "only the members of a group call muster_group_create for it");
  }
  return list;
}

// The AND over all ranks, and who said no.
muster::Result<std::string> agree_ok(muster_group& group, bool ok) {
  group.context.operation += 1;
  muster::Exchange exchange(*group.context.world, group.context.world_ranks, group.context.info.tag,
                            group.context.deadline());
  const std::vector<std::string> causes = {ok ? std::string() : std::string("aborted its capture")};
  muster::Result<std::vector<std::string>> vote = exchange.vote(causes);
  if (!vote.ok()) return vote.take_status();
  return vote->front();
}

}  // namespace

muster_status* muster_group_create(muster_runtime* runtime, const muster_group_options* options,
                                   const uint32_t* ranks, uint32_t count, muster_group** out) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_group_create", "runtime");
    if (out == nullptr) return null_argument("muster_group_create", "out");
    muster_group_options filled{};
    if (options != nullptr) {
      if (options->struct_size < MUSTER_STRUCT_SIZE(muster_group_options, memory)) {
        return Status(MUSTER_INVALID_ARGUMENT,
                      "muster_group_create: options.struct_size is not set",
                      "set it to MUSTER_GROUP_OPTIONS_SIZE");
      }
      std::memcpy(&filled, options, std::min<size_t>(options->struct_size, sizeof(filled)));
    }
    if (filled.memory >= MUSTER_MEMORY_END || filled.determinism >= MUSTER_DETERMINISM_END) {
      return Status(
          MUSTER_INVALID_ARGUMENT,
          fmt::format("muster_group_create: memory kind {} or determinism class {} is unknown",
                      filled.memory, filled.determinism),
          "see muster/types.h");
    }
    auto list = ranks_of(*runtime, ranks, count);
    if (!list.ok()) return list.take_status();
    auto group = muster::create_group(*runtime, filled, std::move(*list));
    if (!group.ok()) return group.take_status();
    const std::lock_guard<std::mutex> lock(runtime->mutex);
    runtime->groups.insert((*group).get());
    *out = (*group).release();
    return Status();
  });
}

muster_status* muster_group_destroy(muster_group* group) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return Status();
    if (const uint32_t left = group->outstanding.load(); left != 0) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} has {} works or plans outstanding", group->name, left),
                    "wait for and release them first");
    }
    {
      const std::lock_guard<std::mutex> lock(group->runtime->mutex);
      group->runtime->groups.erase(group);
    }
    delete group;
    return Status();
  });
}

void muster_group_abort(muster_group* group) {
  if (group != nullptr) muster::break_group(*group, "it was aborted by muster_group_abort");
}

uint32_t muster_group_rank(const muster_group* group) { return group == nullptr ? 0 : group->rank; }
uint32_t muster_group_size(const muster_group* group) { return group == nullptr ? 0 : group->size; }
const char* muster_group_name(const muster_group* group) {
  return group == nullptr ? "" : group->name.c_str();
}

muster_status* muster_group_reserve(muster_group* group, muster_memory memory, uint64_t bytes) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_group_reserve", "group");
    std::set<uint16_t> recipes;
    for (const muster::Candidate& candidate : group->chain.table.candidates) {
      if (candidate.backend == muster::kComposed) recipes.insert(candidate.rule);
    }
    for (const uint16_t recipe : recipes) {
      MUSTER_TRY(group->context.scratch.reserve(
          muster::scratch_user(*group, static_cast<muster::Recipe>(recipe)), memory, bytes));
    }
    return Status();
  });
}

muster_status* muster_graph_begin(muster_group* group, muster_phase phase) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_graph_begin", "group");
    if (phase == MUSTER_EAGER || phase >= MUSTER_PHASE_END) {
      return Status(MUSTER_INVALID_ARGUMENT, fmt::format("phase {} is not a graph phase", phase),
                    "use MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE or MUSTER_GRAPH_PIECEWISE");
    }
    if (group->phase != MUSTER_EAGER) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} is in phase {} already", group->name,
                                muster::phase_name(group->phase)),
                    "end it with muster_graph_end first");
    }
    group->queue->drain();
    for (const muster::LiveBackend& backend : group->backends) {
      if (backend.table->capture_begin == nullptr) continue;
      MUSTER_TRY(Status(backend.table->capture_begin(backend.state, phase)));
    }
    group->enter(phase);
    group->context.scratch.allow_growth(false);
    return Status();
  });
}

muster_status* muster_graph_end(muster_group* group, uint32_t ok) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_graph_end", "group");
    if (group->phase == MUSTER_EAGER) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} is in no graph phase", group->name),
                    "call muster_graph_begin first");
    }
    group->queue->drain();
    auto refused = agree_ok(*group, ok != 0);
    group->enter(MUSTER_EAGER);
    group->context.scratch.allow_growth(true);
    if (!refused.ok()) return refused.take_status();
    for (const muster::LiveBackend& backend : group->backends) {
      if (backend.table->capture_end == nullptr) continue;
      MUSTER_TRY(Status(backend.table->capture_end(backend.state, refused->empty() ? 1 : 0)));
    }
    if (refused->empty()) return Status();
    return Status(MUSTER_ABORTED,
                  fmt::format("the graph of group {} is void: {}", group->name, *refused),
                  "nothing was registered; the group can be used, and captured again");
  });
}

muster_status* muster_group_backend(muster_group* group, const muster_call* call,
                                    const char** out_name) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_group_backend", "group");
    if (call == nullptr) return null_argument("muster_group_backend", "call");
    if (out_name == nullptr) return null_argument("muster_group_backend", "out_name");
    muster_call prepared = *call;
    if (const muster::Refusal refusal = muster::prepare_any(*group, prepared);
        refusal != muster::Refusal::kNone) {
      return Status(muster::refuse_call(*group, prepared, refusal));
    }
    const muster::Candidate* const candidate = muster::find_candidate(*group, prepared);
    if (candidate == nullptr) return Status(muster::not_offered(*group, prepared));
    *out_name = muster::shown_name(*group, *candidate, prepared);
    return Status();
  });
}

muster_status* muster_group_explain(muster_group* group, const muster_call* call, uint32_t json,
                                    char** out_text) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_group_explain", "group");
    if (call == nullptr) return null_argument("muster_group_explain", "call");
    if (out_text == nullptr) return null_argument("muster_group_explain", "out_text");
    muster_call prepared = *call;
    // Buffers do not matter to the question; without both of them it is about a call out of place.
    const bool has_buffers = prepared.send != nullptr && prepared.recv != nullptr;
    const char send = 0;
    char recv = 0;
    if (prepared.send == nullptr) prepared.send = &send;
    if (prepared.recv == nullptr) prepared.recv = &recv;
    if (const muster::Refusal refusal = muster::prepare_any(*group, prepared);
        refusal != muster::Refusal::kNone) {
      return Status(muster::refuse_call(*group, prepared, refusal));
    }
    if (!has_buffers) prepared.flags &= ~uint32_t{MUSTER_CALL_IN_PLACE};
    muster::Question question;
    question.key = {prepared.send_memory, group->phase_class, muster::selection_op(prepared.op),
                    prepared.dtype, prepared.redop};
    question.op = prepared.op;
    question.bytes = prepared.selection_bytes;
    question.traits = muster::call_traits(prepared);
    const muster::Explanation explanation = muster::explain(group->chain, question);
    *out_text = muster::copy_text(json != 0 ? muster::explanation_json(explanation)
                                            : muster::explanation_text(explanation));
    return Status();
  });
}

muster_status* muster_group_counters(muster_group* group, muster_counter_sink sink, void* context) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_group_counters", "group");
    if (sink == nullptr) return null_argument("muster_group_counters", "sink");
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      for (uint32_t column = 0; column < group->counter_stride; ++column) {
        const muster::Counter& counter = group->counters[op * group->counter_stride + column];
        if (counter.calls == 0) continue;
        const bool composed = column + 1 == group->counter_stride;
        sink(context, op, composed ? "composed" : group->shown_names[column].c_str(), counter.calls,
             counter.bytes);
      }
    }
    return Status();
  });
}
