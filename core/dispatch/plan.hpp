// A plan: a call that was checked, and whose backend was found, once. Its run is a look at the
// group's state, a count and an indirect call.
//
// The plan owns the arrays that its record points to; buffers stay the program's.
#ifndef MUSTER_CORE_DISPATCH_PLAN_HPP
#define MUSTER_CORE_DISPATCH_PLAN_HPP

#include <array>
#include <cstdint>
#include <vector>

#include "core/dispatch/group.hpp"
#include "muster/call.h"

struct muster_plan {
  // call is a prepared one, candidate is the one that takes it.
  muster_plan(muster_group& group, const muster_call& call, const muster::Candidate& candidate);
  ~muster_plan();
  muster_plan(const muster_plan&) = delete;
  muster_plan& operator=(const muster_plan&) = delete;

  // Adds the runs to the group's counters.
  void settle();

  muster::ExecuteFunction execute;
  muster_backend_group* state;
  muster_group* group;
  uint64_t runs = 0;  // not settled yet
  muster_call call;

 private:
  void own_operands();

  muster::Counter* counter_;
  std::array<std::vector<uint64_t>, 4> vectors_;
  muster_fused_rmsnorm fused_;
  std::array<unsigned char, 8> scalar_;
};

namespace muster {

// Out of line, so that the path of a run needs neither stack nor registers for them.
[[gnu::cold, gnu::noinline]] muster_status* run_plan_with_attention(muster_plan& plan);
[[gnu::cold, gnu::noinline]] muster_status* plan_failed(muster_plan& plan, muster_status* status);

inline __attribute__((always_inline)) muster_status* run_plan(muster_plan& plan) {
  muster_group& group = *plan.group;
  // One comparison for both: no attention, and the phase that the plan was made in.
  if ((group.attention.load(std::memory_order_relaxed) | (group.phase ^ plan.call.phase)) != 0)
      [[unlikely]] {
    return run_plan_with_attention(plan);
  }
  plan.runs += 1;
  group.context.begin_operation();
  muster_status* const status = plan.execute(plan.state, &plan.call);
  if (status != nullptr) [[unlikely]]
    return plan_failed(plan, status);
  return status;
}

}  // namespace muster

#endif
