// The path of a call: one relaxed load of the attention word, one table lookup, a scan of a few
// size bands, one indirect call.
//
// No lock, no allocation, no string, no clock. Everything unusual (broken group, started calls
// outstanding, checked mode, no candidate, failure) leaves through a cold function.
#ifndef MUSTER_CORE_DISPATCH_DISPATCH_HPP
#define MUSTER_CORE_DISPATCH_DISPATCH_HPP

#include "core/dispatch/group.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {

// The group needs attention: refuse, wait for the queue, or check, then run.
muster_status* run_with_attention(muster_group& group, const muster_call& call);
// No backend takes the call.
muster_status* not_offered(const muster_group& group, const muster_call& call);
// A backend failed inside a call: the group is broken from now on.
muster_status* call_failed(muster_group& group, const muster_call& call, muster_status* status);
// Marks the group broken and ends every wait of this rank.
void break_group(muster_group& group, const std::string& cause);
// A rank did not come to an exchange of the group's ranks. Some may have gone on after it, so the
// group is broken. doing: what the exchange was for, "the graph".
Status ranks_are_apart(muster_group& group, const Status& lost, std::string_view doing);

// By the whole table; NULL when no candidate takes the call.
const Candidate* find_candidate(const muster_group& group, const muster_call& call);

// The same, with the common case inline: the group's own memory kind, and a first candidate without
// further conditions.
inline __attribute__((always_inline)) const Candidate* find_fast(const muster_group& group,
                                                                 const muster_call& call,
                                                                 muster_op op) {
  if (call.send_memory != group.memory) [[unlikely]]
    return find_candidate(group, call);
  const Band* band = group.plane[cell::row(op, call.dtype, call.redop)];
  while (band->bytes_to < call.selection_bytes) ++band;
  if ((band->head->refuses & call_traits(call)) != 0) [[unlikely]]
    return find_candidate(group, call);
  return band->head;
}

// What the counters add for a call.
inline uint64_t counted_bytes(const muster_call& call, muster_op op) {
  return op_can_be_unsized(op) && call.selection_bytes == kUnsized
             ? call.count * dtype_size(call.dtype)
             : call.selection_bytes;
}

// Counts a prepared call and hands it to the candidate that was found for it. op is call.op, handed
// over apart so that it is a constant where the caller knows it.
inline __attribute__((always_inline)) muster_status* run_candidate(muster_group& group,
                                                                   const muster_call& call,
                                                                   const Candidate& candidate,
                                                                   muster_op op, uint64_t bytes) {
  Counter& counter = candidate.counters[op];
  counter.calls += 1;
  counter.bytes += bytes;
  group.context.begin_operation();
  return candidate.execute(candidate.state, &call);
}

// Runs a prepared call, whatever the attention word says: for the queue and for the parts of a
// composition.
inline __attribute__((always_inline)) muster_status* run_now(muster_group& group,
                                                             const muster_call& call,
                                                             muster_op op) {
  const Candidate* const candidate = find_fast(group, call, op);
  if (candidate == nullptr) [[unlikely]]
    return not_offered(group, call);
  muster_status* const status = run_candidate(group, call, *candidate, op, counted_bytes(call, op));
  if (status != nullptr) [[unlikely]]
    return call_failed(group, call, status);
  return nullptr;
}
inline muster_status* run_now(muster_group& group, const muster_call& call) {
  return run_now(group, call, call.op);
}

// Runs a prepared call of the program.
inline __attribute__((always_inline)) muster_status* run_call(muster_group& group,
                                                              const muster_call& call,
                                                              muster_op op) {
  if (group.attention.load(std::memory_order_relaxed) != 0) [[unlikely]]
    return run_with_attention(group, call);
  return run_now(group, call, op);
}

// Checks and runs a call of the program.
template <muster_op Op>
inline __attribute__((always_inline)) muster_status* checked_run(muster_group& group,
                                                                 muster_call& call) {
  if (const Refusal refusal = prepare_call<Op>(group, call); refusal != Refusal::kNone)
      [[unlikely]] {
    return refuse_call(group, call, refusal);
  }
  if constexpr (Op == MUSTER_SEND || Op == MUSTER_RECV) {
    if (call.peer == group.rank) [[unlikely]]
      return refuse_call(group, call, Refusal::kSelf);
  }
  return run_call(group, call, Op);
}

}  // namespace muster

#endif
