// muster.h: explicit calls, started calls, batches, plans.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <vector>

#include "core/capi/boundary.hpp"
#include "core/dispatch/batch.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/queue.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::null_argument;
using muster::Refusal;
using muster::Status;

namespace {

// Copies a program's record, which may be of an older header, and checks it.
Status read_call(const char* function, const muster_group* group, const muster_call* call,
                 bool in_batch, muster_call* out) {
  if (group == nullptr) return null_argument(function, "group");
  if (call == nullptr) return null_argument(function, "call");
  if (call->struct_size < MUSTER_STRUCT_SIZE(muster_call, count)) {
    return Status(MUSTER_INVALID_ARGUMENT, std::string(function) + ": call.struct_size is not set",
                  "make the record with muster_call_init");
  }
  if (call->struct_size >= sizeof(*out)) {
    *out = *call;
  } else {  // a program of an older header gives less; what it does not know is zero
    *out = muster_call{};
    std::memcpy(out, call, call->struct_size);
  }
  out->struct_size = MUSTER_CALL_SIZE;  // what backends get, whatever the program's header knew
  Refusal refusal = muster::prepare_any(*group, *out);
  const bool message = out->op == MUSTER_SEND || out->op == MUSTER_RECV;
  if (refusal == Refusal::kNone && message && out->peer == group->rank && !in_batch)
    refusal = Refusal::kSelf;
  return refusal == Refusal::kNone ? Status() : Status(muster::refuse_call(*group, *out, refusal));
}

}  // namespace

struct muster_plan {
  muster::ExecuteFunction execute;
  muster_backend_group* state;
  muster_group* group;
  muster::Counter* counter;
  uint64_t bytes;
  muster_call call;
  std::array<std::vector<uint64_t>, 4> vectors;
  muster_fused_rmsnorm fused;
  std::array<unsigned char, 8> scalar;

  // The record's arrays become the plan's own.
  void own_operands() {
    if (!muster::reads_send_counts(call, group->rank))
      call.send_counts = call.send_displs = nullptr;
    if (!muster::reads_recv_counts(call, group->rank))
      call.recv_counts = call.recv_displs = nullptr;
    const uint64_t** const pointers[] = {&call.send_counts, &call.send_displs, &call.recv_counts,
                                         &call.recv_displs};
    for (size_t i = 0; i < vectors.size(); ++i) {
      if (*pointers[i] == nullptr) continue;
      vectors[i].assign(*pointers[i], *pointers[i] + group->size);
      *pointers[i] = vectors[i].data();
    }
    if (call.fused != nullptr) {
      fused = *call.fused;
      call.fused = &fused;
    }
    if (call.scalar != nullptr) {
      std::memcpy(scalar.data(), call.scalar, muster::dtype_size(call.dtype));
      call.scalar = scalar.data();
    }
  }
};

muster_status* muster_execute(muster_group* group, const muster_call* call) {
  return at_boundary([&]() -> Status {
    muster_call prepared;
    MUSTER_TRY(read_call("muster_execute", group, call, false, &prepared));
    return Status(muster::run_call(*group, prepared, prepared.op));
  });
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
      Status status = read_call("muster_batch", group, &calls[i], true, &prepared[i]);
      if (!status.ok()) return status.within(fmt::format("call {} of the batch", i));
    }
    return Status(muster::run_batch(*group, prepared));
  });
}

muster_status* muster_plan_create(muster_group* group, const muster_call* call, muster_plan** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_plan_create", "out");
    auto plan = std::make_unique<muster_plan>();
    MUSTER_TRY(read_call("muster_plan_create", group, call, false, &plan->call));
    const muster::Candidate* const candidate = muster::find_candidate(*group, plan->call);
    if (candidate == nullptr) return Status(muster::not_offered(*group, plan->call));
    plan->group = group;
    plan->execute = candidate->execute;
    plan->state = candidate->state;
    plan->counter = candidate->counters + plan->call.op;
    plan->bytes = muster::counted_bytes(plan->call, plan->call.op);
    plan->own_operands();
    group->outstanding.fetch_add(1);
    *out = plan.release();
    return Status();
  });
}

muster_status* muster_plan_run(muster_plan* plan) {
  if (plan == nullptr) [[unlikely]]
    return null_argument("muster_plan_run", "plan").release();
  muster_group& group = *plan->group;
  if (group.attention.load(std::memory_order_relaxed) != 0 || group.phase != plan->call.phase)
      [[unlikely]] {
    return at_boundary([&] {
      if (group.phase != plan->call.phase) {
        return Status(MUSTER_FAILED_PRECONDITION,
                      fmt::format("the plan was made in phase {}, group {} is in phase {}",
                                  muster::phase_name(plan->call.phase), group.name,
                                  muster::phase_name(group.phase)),
                      "make a plan per phase");
      }
      return Status(muster::run_with_attention(group, plan->call));
    });
  }
  plan->counter->calls += 1;
  plan->counter->bytes += plan->bytes;
  group.context.operation += 1;
  muster_status* const status = plan->execute(plan->state, &plan->call);
  if (status != nullptr) [[unlikely]]
    return muster::call_failed(group, plan->call, status);
  return nullptr;
}

void muster_plan_release(muster_plan* plan) {
  if (plan == nullptr) return;
  plan->group->outstanding.fetch_sub(1);
  delete plan;
}
