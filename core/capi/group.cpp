// muster.h: groups, graphs, insight.
#include "core/dispatch/group.hpp"

#include <fmt/format.h>

#include <set>

#include "core/agree/exchange.hpp"
#include "core/agree/group_setup.hpp"
#include "core/agree/runtime.hpp"
#include "core/capi/boundary.hpp"
#include "core/capi/call_record.hpp"
#include "core/capi/options.hpp"
#include "core/compose/parts.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/plan.hpp"
#include "core/dispatch/queue.hpp"
#include "core/explain/explain.hpp"
#include "core/tensors/dimension.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::null_argument;
using muster::Status;

namespace {

// What this rank has against going on with a graph ("": nothing) is told to all: who said no and
// why, "" when nobody did.
muster::Result<std::string> agree(muster_group& group, const std::string& objection) {
  group.context.begin_operation();
  muster::Exchange exchange(*group.context.world, group.context.world_ranks, group.context.info.tag,
                            group.context.deadline());
  muster::Result<std::vector<std::string>> vote = exchange.vote(std::span(&objection, 1));
  if (!vote.ok()) return muster::ranks_are_apart(group, vote.status(), "the graph");
  return vote->front();
}

// Every backend is told, whatever one of them says; the first failure.
Status end_capture(const std::vector<const muster::LiveBackend*>& backends, bool ok) {
  Status first;
  for (const muster::LiveBackend* backend : backends) {
    if (backend->table->capture_end == nullptr) continue;
    Status status(backend->table->capture_end(backend->state, ok ? 1 : 0));
    if (first.ok()) first = std::move(status);
  }
  return first;
}

}  // namespace

muster_status* muster_group_create(muster_runtime* runtime, const muster_group_options* options,
                                   const uint32_t* ranks, uint32_t count, muster_group** out) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_group_create", "runtime");
    if (out == nullptr) return null_argument("muster_group_create", "out");
    auto wish = muster::read_group_options("muster_group_create", options);
    if (!wish.ok()) return wish.take_status();
    auto list = muster::read_ranks("muster_group_create", *runtime, ranks, count);
    if (!list.ok()) return list.take_status();
    auto group = muster::create_group(*runtime, wish->options(), std::move(*list));
    if (!group.ok()) return group.take_status();
    *out = muster::keep_group(std::move(*group));
    return Status();
  });
}

muster_status* muster_group_destroy(muster_group* group) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return Status();
    if (group->layout != nullptr) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} belongs to a layout", group->name),
                    "destroy the layout with muster_layout_destroy");
    }
    if (const uint32_t left = group->outstanding.load(); left != 0) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} has {} works or plans outstanding", group->name, left),
                    "wait for and release them first");
    }
    muster::end_group(group);
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
    if (memory >= MUSTER_MEMORY_END) {
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("muster_group_reserve: memory kind {} is unknown", memory),
                    "see muster/types.h");
    }
    if (memory == MUSTER_MEMORY_DEFAULT) memory = group->memory;
    std::set<uint16_t> recipes;
    for (const muster::Candidate& candidate : group->chain.table.candidates) {
      // Nothing is staged through the host in a graph.
      constexpr auto kStaged = static_cast<uint16_t>(muster::Recipe::kStagedThroughHost);
      if (candidate.backend == muster::kComposed && candidate.rule != kStaged)
        recipes.insert(candidate.rule);
    }
    for (const uint16_t recipe : recipes) {
      MUSTER_TRY(group->context.scratch.reserve(
          muster::scratch_user(*group, static_cast<muster::Recipe>(recipe)), memory, bytes));
    }
    return group->context.scratch.reserve(muster::dimension_scratch(*group), memory, bytes);
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
    std::vector<const muster::LiveBackend*> begun;
    Status failed;
    bool announced = false;
    for (const muster::LiveBackend& backend : group->backends) {
      if (backend.table->capture_begin == nullptr) continue;
      announced = true;
      failed = Status(backend.table->capture_begin(backend.state, phase));
      if (!failed.ok()) break;
      begun.push_back(&backend);
    }
    if (announced) {  // a backend may fail on one rank alone
      auto refused = agree(*group, failed.ok() ? "" : "cannot begin: " + failed.cause());
      if (!refused.ok() || !refused->empty()) {
        const Status ignored = end_capture(begun, false);
        if (!failed.ok()) return failed;
        if (!refused.ok()) return refused.take_status();
        return Status(MUSTER_ABORTED,
                      fmt::format("the graph of group {} was not begun: {}", group->name, *refused),
                      "the group can be used, and the graph begun again");
      }
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
    auto refused = agree(*group, ok != 0 ? "" : "aborted its capture");
    group->enter(MUSTER_EAGER);
    group->context.scratch.allow_growth(true);
    std::vector<const muster::LiveBackend*> all;
    for (const muster::LiveBackend& backend : group->backends) all.push_back(&backend);
    Status ended = end_capture(all, refused.ok() && refused->empty());
    if (!refused.ok()) return refused.take_status();
    if (!ended.ok()) return ended;
    if (refused->empty()) return Status();
    return Status(MUSTER_ABORTED,
                  fmt::format("the graph of group {} is void: {}", group->name, *refused),
                  "nothing was registered; the group can be used, and captured again");
  });
}

muster_status* muster_group_backend(muster_group* group, const muster_call* call,
                                    const char** out_name) {
  return at_boundary([&]() -> Status {
    if (out_name == nullptr) return null_argument("muster_group_backend", "out_name");
    muster_call prepared;
    MUSTER_TRY(muster::read_call("muster_group_backend", group, call, true, &prepared));
    const muster::Candidate* const candidate = muster::find_candidate(*group, prepared);
    if (candidate == nullptr) return Status(muster::not_offered(*group, prepared));
    *out_name = muster::shown_name(*group, *candidate, prepared);
    return Status();
  });
}

muster_status* muster_group_explain(muster_group* group, const muster_call* call, uint32_t json,
                                    char** out_text) {
  return at_boundary([&]() -> Status {
    MUSTER_TRY(muster::check_call("muster_group_explain", group, call));
    if (out_text == nullptr) return null_argument("muster_group_explain", "out_text");
    muster_call prepared;
    if (!muster::copy_call(*call, &prepared))
      return Status(muster::refuse_call(*group, prepared, muster::Refusal::kLater));
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
    group->queue->drain();  // its thread counts too
    for (muster_plan* const plan : group->plans) plan->settle();
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      for (size_t row = 0; row <= group->shown_names.size(); ++row) {
        const muster::Counter& counter = group->counters[row * MUSTER_OP_END + op];
        if (counter.calls == 0) continue;
        const bool composed = row == group->shown_names.size();
        sink(context, op, composed ? "composed" : group->shown_names[row].c_str(), counter.calls,
             counter.bytes);
      }
    }
    return Status();
  });
}
