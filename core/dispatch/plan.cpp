#include "core/dispatch/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/dispatch/dispatch.hpp"

muster_plan::muster_plan(muster_group& group, const muster_call& call,
                         const muster::Candidate& candidate)
    : execute(candidate.execute),
      state(candidate.state),
      group(&group),
      call(call),
      counter_(candidate.counters + call.op) {
  own_operands();
  group.plans.push_back(this);
  group.outstanding.fetch_add(1);
}

muster_plan::~muster_plan() {
  settle();
  group->plans.erase(std::find(group->plans.begin(), group->plans.end(), this));
  group->outstanding.fetch_sub(1);
}

void muster_plan::settle() {
  counter_->calls += runs;
  counter_->bytes += runs * muster::counted_bytes(call, call.op);
  runs = 0;
}

void muster_plan::own_operands() {
  if (!muster::reads_send_counts(call, group->rank)) call.send_counts = call.send_displs = nullptr;
  if (!muster::reads_recv_counts(call, group->rank)) call.recv_counts = call.recv_displs = nullptr;
  const uint64_t** const pointers[] = {&call.send_counts, &call.send_displs, &call.recv_counts,
                                       &call.recv_displs};
  for (size_t i = 0; i < vectors_.size(); ++i) {
    if (*pointers[i] == nullptr) continue;
    vectors_[i].assign(*pointers[i], *pointers[i] + group->size);
    *pointers[i] = vectors_[i].data();
  }
  if (call.fused != nullptr) {
    fused_ = *call.fused;
    call.fused = &fused_;
  }
  if (call.scalar != nullptr) {
    std::memcpy(scalar_.data(), call.scalar, muster::dtype_size(call.dtype));
    call.scalar = scalar_.data();
  }
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

muster_status* plan_failed(muster_plan& plan, muster_status* status) {
  return call_failed(*plan.group, plan.call, status);
}

}  // namespace muster
