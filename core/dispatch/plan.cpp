#include "core/dispatch/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "core/dispatch/dispatch.hpp"

namespace {

// The attention word of a plan whose phase is not the group's.
constexpr uint32_t kOtherPhase = 1;

void own_operands(muster_plan& plan) {
  muster_call& call = plan.call;
  const uint32_t rank = plan.group->rank;
  if (!muster::reads_send_counts(call, rank)) call.send_counts = call.send_displs = nullptr;
  if (!muster::reads_recv_counts(call, rank)) call.recv_counts = call.recv_displs = nullptr;
  const uint64_t** const pointers[] = {&call.send_counts, &call.send_displs, &call.recv_counts,
                                       &call.recv_displs};
  for (size_t i = 0; i < plan.vectors.size(); ++i) {
    if (*pointers[i] == nullptr) continue;
    plan.vectors[i].assign(*pointers[i], *pointers[i] + plan.group->size);
    *pointers[i] = plan.vectors[i].data();
  }
  if (call.fused != nullptr) {
    plan.fused = *call.fused;
    call.fused = &plan.fused;
  }
  if (call.scalar != nullptr) {
    std::memcpy(plan.scalar.data(), call.scalar, muster::dtype_size(call.dtype));
    call.scalar = plan.scalar.data();
  }
}

muster_status* plan_failed(muster_plan* plan, muster_status* status) {
  return muster::call_failed(*plan->group, plan->call, status);
}

}  // namespace

// muster_plan_replay takes a plan for its head, and the word for a plain one.
static_assert(std::is_standard_layout_v<muster_plan> && offsetof(muster_plan, head) == 0);
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) &&
              std::atomic<uint32_t>::is_always_lock_free);

muster_plan::muster_plan(muster_group& group, const muster_call& call,
                         const muster::Candidate& candidate)
    : group(&group), call(call), counter(candidate.counters + call.op) {
  own_operands(*this);
  head.execute = candidate.execute;
  head.state = candidate.state;
  head.call = &this->call;
  head.deadline_ns = &group.context.deadline_ns;
  head.failed = plan_failed;
  see_phase(group.phase);
  group.plans.push_back(this);
  group.outstanding.fetch_add(1);
}

muster_plan::~muster_plan() {
  settle();
  group->plans.erase(std::find(group->plans.begin(), group->plans.end(), this));
  group->outstanding.fetch_sub(1);
}

void muster_plan::see_phase(muster_phase phase) {
  head.attention =
      phase == call.phase ? reinterpret_cast<const uint32_t*>(&group->attention) : &kOtherPhase;
}

void muster_plan::settle() {
  counter->calls += head.runs;
  counter->bytes += head.runs * muster::counted_bytes(call, call.op);
  head.runs = 0;
}

namespace muster {

muster_status* run_plan_with_attention(muster_plan& plan) {
  return at_boundary([&] {
    const muster_group& group = *plan.group;
    if (group.phase != plan.call.phase) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("the plan was made in phase {}, group {} is in phase {}",
                                phase_name(plan.call.phase), group.name, phase_name(group.phase)),
                    "make a plan per phase");
    }
    return Status(run_with_attention(*plan.group, plan.call));
  });
}

}  // namespace muster
