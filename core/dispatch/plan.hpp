// A plan: a call that was checked, and whose backend was found, once. Its run, muster_plan_replay,
// is a look at the group's attention word, a count and an indirect call.
//
// The plan owns the arrays that its record points to; buffers stay the program's.
#ifndef MUSTER_CORE_DISPATCH_PLAN_HPP
#define MUSTER_CORE_DISPATCH_PLAN_HPP

#include <array>
#include <cstdint>
#include <vector>

#include "core/dispatch/group.hpp"
#include "muster/call.h"
#include "muster/plan.h"

struct muster_plan {
  // call is a prepared one, candidate is the one that takes it.
  muster_plan(muster_group& group, const muster_call& call, const muster::Candidate& candidate);
  ~muster_plan();
  muster_plan(const muster_plan&) = delete;
  muster_plan& operator=(const muster_plan&) = delete;

  // The group is in this phase from now on: runs in another than the plan's report it.
  void see_phase(muster_phase phase);
  // Adds the runs to the group's counters.
  void settle();

  muster_plan_head head{};  // first: what muster_plan_replay reads
  muster_group* group;
  muster_call call;
  muster::Counter* counter;
  // What the record points to.
  std::array<std::vector<uint64_t>, 4> vectors;
  muster_fused_rmsnorm fused;
  std::array<unsigned char, 8> scalar;
};

namespace muster {

// Runs a plan whose group wants attention.
muster_status* run_plan_with_attention(muster_plan& plan);

}  // namespace muster

#endif
