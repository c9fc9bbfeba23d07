// muster.h: explicit calls, started calls, batches, plans.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "core/capi/boundary.hpp"
#include "core/capi/call_record.hpp"
#include "core/dispatch/batch.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/plan.hpp"
#include "core/dispatch/queue.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::is_call;
using muster::null_argument;
using muster::read_call;
using muster::read_usable;
using muster::Refusal;
using muster::Status;

namespace {

// Out of line: the path of a run needs no stack for it.
[[gnu::cold, gnu::noinline]] muster_status* plan_is_null() {
  return at_boundary([] { return null_argument("muster_plan_run", "plan"); });
}

}  // namespace

muster_status* muster_execute(muster_group* group, const muster_call* call) {
  muster_call prepared;
  if (!is_call(group, call)) [[unlikely]]
    return at_boundary([&] { return read_call("muster_execute", group, call, false, &prepared); });
  if (const Refusal refusal = read_usable(*group, *call, false, &prepared);
      refusal != Refusal::kNone) [[unlikely]] {
    return muster::refuse_call(*group, prepared, refusal);
  }
  return muster::run_call(*group, prepared, prepared.op);
}

muster_status* muster_start(muster_group* group, const muster_call* call, muster_work** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_start", "out");
    auto work = std::make_unique<muster_work>();
    MUSTER_TRY(read_call("muster_start", group, call, false, &work->call));
    if (work->call.stream.kind != MUSTER_STREAM_NONE) {
      return Status(MUSTER_INVALID_ARGUMENT, "muster_start: the call carries a stream",
                    "calls on a stream do not block: use muster_execute");
    }
    if ((group->attention.load(std::memory_order_relaxed) & muster::kAttentionBroken) != 0) {
      return Status(muster::run_with_attention(*group, work->call));
    }
    work->group = group;
    group->queue->start(work.get());
    group->outstanding.fetch_add(1);
    *out = work.release();
    return Status();
  });
}

muster_status* muster_work_test(muster_work* work, uint32_t* done) {
  return at_boundary([&]() -> Status {
    if (work == nullptr) return null_argument("muster_work_test", "work");
    if (done == nullptr) return null_argument("muster_work_test", "done");
    *done = work->group->queue->test(work) ? 1 : 0;
    return *done != 0 ? work->failure.copy() : Status();
  });
}

muster_status* muster_work_wait(muster_work* work) {
  return at_boundary([&]() -> Status {
    if (work == nullptr) return null_argument("muster_work_wait", "work");
    work->group->queue->wait(work);
    return work->failure.copy();
  });
}

void muster_work_release(muster_work* work) {
  if (work == nullptr) return;
  if (!work->group->queue->test(work)) work->group->queue->wait(work);
  work->group->outstanding.fetch_sub(1);
  delete work;
}

muster_status* muster_batch(muster_group* group, const muster_call* calls, uint32_t count) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_batch", "group");
    if (calls == nullptr && count != 0) return null_argument("muster_batch", "calls");
    std::vector<muster_call> prepared(count);
    for (uint32_t i = 0; i < count; ++i) {
      Status status =
          read_call("muster_batch", group, &MUSTER_AT(muster_call, calls, i), true, &prepared[i]);
      if (!status.ok()) return status.within(fmt::format("call {} of the batch", i));
    }
    return Status(muster::run_batch(*group, prepared));
  });
}

muster_status* muster_plan_create(muster_group* group, const muster_call* call, muster_plan** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_plan_create", "out");
    muster_call prepared;
    MUSTER_TRY(read_call("muster_plan_create", group, call, false, &prepared));
    const muster::Candidate* const candidate = muster::find_candidate(*group, prepared);
    if (candidate == nullptr) return Status(muster::not_offered(*group, prepared));
    *out = new muster_plan(*group, prepared, *candidate);
    return Status();
  });
}

muster_status* muster_plan_run(muster_plan* plan) {
  if (plan == nullptr) [[unlikely]]
    return plan_is_null();
  if (*plan->head.attention != 0) [[unlikely]]
    return muster::run_plan_with_attention(*plan);
  return muster_plan_replay(plan);
}

void muster_plan_release(muster_plan* plan) { delete plan; }
