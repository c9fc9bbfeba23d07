// The short form of the path of a call: no options, a group that needs no attention, operands as
// nearly all programs give them.
//
// It checks with as few instructions as it can that nothing is out of the ordinary, and leaves
// whatever is to prepare_call (prepare.hpp), which knows every rule and has the words for it. So a
// plain call that runs is exactly the call that prepare_call would have made of it; a test
// compares the two over many operands.
#ifndef MUSTER_CORE_DISPATCH_PLAIN_CALL_HPP
#define MUSTER_CORE_DISPATCH_PLAIN_CALL_HPP

#include "core/dispatch/dispatch.hpp"

namespace muster {

// Operations whose operands are a count and two buffers at most. Those with vectors walk them
// anyway, and the fused one has more to check.
constexpr bool op_has_plain_form(muster_op op) {
  return op != MUSTER_ALL_GATHERV && op != MUSTER_GATHERV && op != MUSTER_SCATTERV &&
         op != MUSTER_ALL_TO_ALLV && op != MUSTER_REDUCE_SCATTERV &&
         op != MUSTER_FUSED_ALL_REDUCE_RMSNORM;
}

namespace plain {

// No product of a lower count, an element of eight bytes and a number of ranks leaves 63 bits.
constexpr uint64_t kCountEnd = uint64_t{1} << 28;
inline bool usual_count(uint64_t count) { return count - 1 < kCountEnd - 1; }

constexpr std::array<uint64_t, cell::kAxis> kElement = [] {
  std::array<uint64_t, cell::kAxis> element{};
  for (muster_dtype dtype = 0; dtype < cell::kAxis; ++dtype) element[dtype] = dtype_size(dtype);
  return element;
}();

// Whether the operands beside buffers, dtype and redop are as usual.
template <muster_op Op>
inline __attribute__((always_inline)) bool usual_operands(const muster_group& group,
                                                          const muster_call& call) {
  if constexpr (op_is_rooted(Op)) {
    if (call.root >= group.size) return false;
  }
  if constexpr (op_is_point_to_point(Op)) {
    if (call.peer >= group.size) return false;
    if constexpr (Op != MUSTER_SEND_RECV) {
      if (call.peer == group.rank) return false;
    } else {
      if (call.recv_peer >= group.size || !usual_count(call.recv_count)) return false;
    }
  }
  return usual_count(call.count);
}

// Of operands that are as usual; part: the bytes of count elements.
template <muster_op Op>
inline __attribute__((always_inline)) bool in_place(const muster_group& group,
                                                    const muster_call& call, uint64_t part) {
  if constexpr (Op == MUSTER_ALL_REDUCE || Op == MUSTER_ALL_TO_ALL) return call.send == call.recv;
  if constexpr (Op == MUSTER_REDUCE || Op == MUSTER_BROADCAST)
    return call.send == call.recv && call.root == group.rank;
  if constexpr (Op == MUSTER_ALL_GATHER) return call.send == at(call.recv, group.rank * part);
  if constexpr (Op == MUSTER_GATHER)
    return call.send == at(call.recv, group.rank * part) && call.root == group.rank;
  if constexpr (Op == MUSTER_REDUCE_SCATTER) return call.recv == at(call.send, group.rank * part);
  if constexpr (Op == MUSTER_SCATTER)
    return call.recv == at(call.send, group.rank * part) && call.root == group.rank;
  return false;
}

}  // namespace plain

// What is not as usual: the call of group.plain_calls anew, by the rules of prepare_call.
template <muster_op Op>
[[gnu::cold, gnu::noinline]] muster_status* run_unusual(muster_group& group) {
  muster_call call = group.plain_calls[Op];
  return checked_run<Op>(group, call);
}
// The record is found again here, so that the path of a call need not keep its address.
[[gnu::cold, gnu::noinline]] muster_status* plain_call_failed(muster_group& group, muster_op op,
                                                              muster_status* status);

// Completes and runs the record of group.plain_calls; the operands have been written into it.
template <muster_op Op>
inline __attribute__((always_inline)) muster_status* run_plain(muster_group& group) {
  muster_call& call = group.plain_calls[Op];
  // Of dtype and redop only the range is checked: what does not exist has an empty row. The checks
  // stand between stores, for side by side the compiler joins them, at more instructions than
  // branches take. Which buffer a rank beside the root needs is left to prepare_call.
  if ((call.dtype | call.redop) >= cell::kAxis) [[unlikely]]
    return run_unusual<Op>(group);
  if constexpr (Op == MUSTER_BARRIER) {  // it runs in host memory, whatever the group's is
    if (group.memory != MUSTER_HOST) [[unlikely]]
      return run_unusual<Op>(group);
  }
  uint64_t bytes = 0;
  uint32_t in_place = 0;
  if constexpr (Op != MUSTER_BARRIER) {
    if (!plain::usual_operands<Op>(group, call)) [[unlikely]]
      return run_unusual<Op>(group);
    bytes = call.count * plain::kElement[call.dtype];
    call.selection_bytes = op_is_point_to_point(Op) ? kUnsized : bytes;
    if (Op != MUSTER_RECV && call.send == nullptr) [[unlikely]]
      return run_unusual<Op>(group);
    in_place = plain::in_place<Op>(group, call, bytes) ? 1 : 0;
    call.flags = in_place;
    if (Op != MUSTER_SEND && call.recv == nullptr) [[unlikely]]
      return run_unusual<Op>(group);
  }
  const Band* band = group.plane[cell::row(Op, call.dtype, call.redop)];
  if constexpr (!op_is_point_to_point(Op)) {  // their rows begin with the band of unsized calls
    while (band->bytes_to < bytes) ++band;
  }
  const Candidate& candidate = *band->head;
  if (candidate.refuses_plain[in_place] != 0) [[unlikely]]
    return run_unusual<Op>(group);
  muster_status* const status = run_candidate(group, call, candidate, Op, bytes);
  if (status != nullptr) [[unlikely]]
    return plain_call_failed(group, Op, status);
  return nullptr;
}

}  // namespace muster

#endif
