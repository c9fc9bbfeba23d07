// The short form of the path of a call: no options, or none beside a stream and the promise of
// symmetric memory; a group that needs no attention; operands as nearly all programs give them.
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

// The record is found again here, so that the path of a call need not keep its address.
[[gnu::cold, gnu::noinline]] muster_status* plain_call_failed(muster_group& group, muster_op op,
                                                              bool in_place, muster_status* status);

namespace plain {

// A call without options.
struct Bare {
  template <bool InPlace>
  bool refused_by(const Candidate& candidate) const {
    return candidate.refuses_plain[InPlace ? 1 : 0] != 0;
  }
  template <bool InPlace>
  muster_call& record(muster_group& group, muster_op op) const {
    return group.plain_calls[InPlace ? 1 : 0][op];
  }
  template <bool InPlace>
  muster_status* failed(muster_group& group, muster_op op, muster_status* status) const {
    return plain_call_failed(group, op, InPlace, status);
  }
};

// One whose options say its stream, and whether its buffers are symmetric.
struct OnStream {
  const muster_call_options& options;

  // Whether they say no more.
  bool is_all() const {
    return (options.send_memory | options.recv_memory) == 0 && options.max_bytes == 0 &&
           options.scalar == nullptr && options.stream.kind < MUSTER_STREAM_KIND_END;
  }
  template <bool InPlace>
  uint32_t flags() const {
    return (options.flags & MUSTER_CALL_SYMMETRIC) |
           (InPlace ? uint32_t{MUSTER_CALL_IN_PLACE} : 0u);
  }
  template <bool InPlace>
  bool refused_by(const Candidate& candidate) const {
    return (candidate.refuses & call_traits(flags<InPlace>(), options.stream.kind)) != 0;
  }
  template <bool InPlace>
  muster_call& record(muster_group& group, muster_op op) const {
    muster_call& record = group.stream_calls[op];
    record.flags = flags<InPlace>();
    record.stream = options.stream;
    return record;
  }
  template <bool InPlace>
  muster_status* failed(muster_group& group, muster_op op, muster_status* status) const {
    return call_failed(group, group.stream_calls[op], status);
  }
};

// Looks the call up and runs it, or the other way when its first candidate may refuse it.
template <typename Operation, bool InPlace, typename Form, typename Otherwise, typename... Operands>
inline __attribute__((always_inline)) muster_status* run_as(muster_group& group, Form form,
                                                            const Band* band, uint64_t bytes,
                                                            Otherwise otherwise,
                                                            Operands... operands) {
  constexpr muster_op kOp = Operation::kOp;
  if constexpr (!op_is_point_to_point(kOp)) {  // their rows begin with the band of unsized calls
    while (band->bytes_to < bytes) ++band;
  }
  const Candidate& candidate = *band->head;
  if (form.template refused_by<InPlace>(candidate)) [[unlikely]]
    return otherwise();
  muster_call& record = form.template record<InPlace>(group, kOp);
  Operation::write(record, operands...);
  if constexpr (kOp != MUSTER_BARRIER)
    record.selection_bytes = op_is_point_to_point(kOp) ? kUnsized : bytes;
  muster_status* const status = run_candidate(group, record, candidate, kOp, bytes);
  if (status != nullptr) [[unlikely]]
    return form.template failed<InPlace>(group, kOp, status);
  return nullptr;
}

}  // namespace plain

// Runs the call, unless something is not as usual: then nothing has been done, and otherwise() runs
// it, after prepare_call. form: plain::Bare, or a plain::OnStream that is all.
template <typename Operation, typename Form, typename Otherwise, typename... Operands>
inline __attribute__((always_inline)) muster_status* run_plain(muster_group& group, Form form,
                                                               Otherwise otherwise,
                                                               Operands... operands) {
  constexpr muster_op kOp = Operation::kOp;
  muster_call call;  // only what the operation writes; lives in registers
  call.dtype = MUSTER_DTYPE_NONE;
  call.redop = MUSTER_REDOP_NONE;
  Operation::write(call, operands...);
  // Of dtype and redop only the range is checked: what does not exist has an empty row. Which
  // buffer a rank beside the root needs is left to prepare_call.
  if ((call.dtype | call.redop) >= cell::kAxis) [[unlikely]]
    return otherwise();
  const Band* const band = group.plane[cell::row(kOp, call.dtype, call.redop)];
  if constexpr (kOp == MUSTER_BARRIER) {  // it runs in host memory, whatever the group's is
    if (group.memory != MUSTER_HOST) [[unlikely]]
      return otherwise();
    return plain::run_as<Operation, false>(group, form, band, 0, otherwise, operands...);
  } else {
    if (!plain::usual_operands<kOp>(group, call)) [[unlikely]]
      return otherwise();
    const uint64_t bytes = call.count * band->element;
    if (kOp != MUSTER_RECV && call.send == nullptr) [[unlikely]]
      return otherwise();
    if (plain::in_place<kOp>(group, call, bytes))
      return plain::run_as<Operation, true>(group, form, band, bytes, otherwise, operands...);
    if (kOp != MUSTER_SEND && call.recv == nullptr) [[unlikely]]
      return otherwise();
    return plain::run_as<Operation, false>(group, form, band, bytes, otherwise, operands...);
  }
}

}  // namespace muster

#endif
