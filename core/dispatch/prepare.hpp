// Checks one call and fills in what the runtime knows: in place or not, selection bytes, memory
// kinds, phase.
//
// On the path of every call: inline, no allocation, no division. What is wrong is said by
// refuse_call, off the path.
#ifndef MUSTER_CORE_DISPATCH_PREPARE_HPP
#define MUSTER_CORE_DISPATCH_PREPARE_HPP

#include <cstdint>

#include "core/chain/key.hpp"
#include "core/dispatch/group.hpp"
#include "muster/call.h"

namespace muster {

enum class Refusal {
  kNone,
  kOp,
  kDtype,
  kRedop,
  kRoot,
  kPeer,
  kSelf,    // send or recv to oneself outside a batch
  kCount,   // bytes overflow
  kCounts,  // a counts vector is missing or overflows
  kSendBuffer,
  kRecvBuffer,
  kMemory,
  kStream,
  kFused,  // the operands as a whole
  kFusedHidden,
  kFusedEpsilon,
  kQuantGroup,
  kScaleOut,
  kQuantisedInPlace,
  kRecvDtype,
  kScalar,
  kLater  // a field of a later header is set
};

// A status that says what was wrong with the call, and what to do.
muster_status* refuse_call(const muster_group& group, const muster_call& call, Refusal refusal);

inline bool bytes_of(uint64_t count, uint64_t factor, uint64_t element, uint64_t* out) {
  uint64_t elements = 0;
  return !__builtin_mul_overflow(count, factor, &elements) &&
         !__builtin_mul_overflow(elements, element, out) &&
         *out <= static_cast<uint64_t>(INT64_MAX);
}

// The bytes of a counts vector laid out at displacements; false when it overflows.
bool vector_extent(const uint64_t* counts, const uint64_t* displs, uint32_t size, uint64_t element,
                   uint64_t* total, uint64_t* extent);
// Where a rank's part begins, in elements.
uint64_t displacement_of(const uint64_t* counts, const uint64_t* displs, uint32_t rank);

// Fills in defaulted memory kinds; false when nobody serves them.
bool resolve_memory(const muster_group& group, muster_call& call);

// An address to compare with: not a pointer sum, the base may be NULL or not read by this rank.
inline const void* at(const void* base, uint64_t offset) {
  return reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(base) + offset);
}

// Of the fused operation: checks its operands, and fills in recv_dtype.
Refusal check_fused(muster_call& call);

// Bytes per element of recv.
inline uint64_t recv_element(const muster_call& call) {
  return dtype_size(call.recv_dtype != MUSTER_DTYPE_NONE ? call.recv_dtype : call.dtype);
}

// Whether a rank's counts and displacements mean anything: those of rooted operations are read on
// the root only.
inline bool reads_send_counts(const muster_call& call, uint32_t rank) {
  return call.op == MUSTER_ALL_TO_ALLV || (call.op == MUSTER_SCATTERV && call.root == rank);
}
inline bool reads_recv_counts(const muster_call& call, uint32_t rank) {
  return call.op == MUSTER_ALL_TO_ALLV || call.op == MUSTER_ALL_GATHERV ||
         call.op == MUSTER_REDUCE_SCATTERV || (call.op == MUSTER_GATHERV && call.root == rank);
}

template <muster_op Op>
inline __attribute__((always_inline)) Refusal prepare_call(const muster_group& group,
                                                           muster_call& call) {
  uint64_t element = 1;
  uint64_t bytes = 0;
  if constexpr (Op != MUSTER_BARRIER) {
    if (call.dtype - 1 >= MUSTER_DTYPE_END - 1u) [[unlikely]]
      return Refusal::kDtype;
    element = dtype_size(call.dtype);
  }
  if constexpr (op_reduces(Op)) {
    if (!redop_applies(call.redop, call.dtype)) [[unlikely]]
      return Refusal::kRedop;
    if (call.scalar != nullptr && call.redop != MUSTER_SUM) [[unlikely]]
      return Refusal::kScalar;
  } else {
    call.redop = MUSTER_REDOP_NONE;
  }
  if constexpr (op_is_rooted(Op)) {
    if (call.root >= group.size) [[unlikely]]
      return Refusal::kRoot;
  }
  const bool is_root = !op_is_rooted(Op) || call.root == group.rank;
  bool in_place = false;
  bool needs_send = false;
  bool needs_recv = false;
  [[maybe_unused]] uint32_t quantised = 0;

  if constexpr (Op == MUSTER_ALL_REDUCE || Op == MUSTER_REDUCE || Op == MUSTER_BROADCAST ||
                Op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
    if (!bytes_of(call.count, 1, element, &bytes)) [[unlikely]]
      return Refusal::kCount;
    call.selection_bytes = bytes;
    needs_send = bytes != 0 && (Op != MUSTER_BROADCAST || is_root);
    needs_recv = bytes != 0 && (Op != MUSTER_REDUCE || is_root);
    in_place = call.send == call.recv && needs_send && needs_recv;
  } else if constexpr (Op == MUSTER_ALL_GATHER || Op == MUSTER_GATHER ||
                       Op == MUSTER_REDUCE_SCATTER || Op == MUSTER_SCATTER ||
                       Op == MUSTER_ALL_TO_ALL) {
    if (!bytes_of(call.count, group.size, element, &bytes)) [[unlikely]]
      return Refusal::kCount;
    const uint64_t part = call.count * element;
    call.selection_bytes = part;
    needs_send = part != 0 && (Op != MUSTER_SCATTER || is_root);
    needs_recv = part != 0 && (Op != MUSTER_GATHER || is_root);
    if (needs_send && needs_recv) {
      if constexpr (Op == MUSTER_ALL_TO_ALL) in_place = call.send == call.recv;
      if constexpr (Op == MUSTER_ALL_GATHER || Op == MUSTER_GATHER) {
        in_place = call.send == at(call.recv, group.rank * part);
      }
      if constexpr (Op == MUSTER_REDUCE_SCATTER || Op == MUSTER_SCATTER) {
        in_place = call.recv == at(call.send, group.rank * part);
      }
    }
  } else if constexpr (Op == MUSTER_ALL_GATHERV || Op == MUSTER_REDUCE_SCATTERV) {
    uint64_t extent = 0;
    if (call.recv_counts == nullptr) [[unlikely]]
      return Refusal::kCounts;
    // Its blocks are packed, as in MPI_Reduce_scatter; no backend may see displacements.
    if constexpr (Op == MUSTER_REDUCE_SCATTERV) call.recv_displs = nullptr;
    const uint64_t* const displs = Op == MUSTER_ALL_GATHERV ? call.recv_displs : nullptr;
    if (!vector_extent(call.recv_counts, displs, group.size, element, &bytes, &extent))
      return Refusal::kCounts;
    call.selection_bytes = bytes;
    const uint64_t mine = call.recv_counts[group.rank] * element;
    const uint64_t offset = displacement_of(call.recv_counts, displs, group.rank) * element;
    call.count = call.recv_counts[group.rank];
    needs_send = (Op == MUSTER_ALL_GATHERV ? mine : bytes) != 0;
    needs_recv = (Op == MUSTER_ALL_GATHERV ? bytes : mine) != 0;
    if (needs_send && needs_recv) {
      in_place = Op == MUSTER_ALL_GATHERV ? call.send == at(call.recv, offset)
                                          : call.recv == at(call.send, offset);
    }
  } else if constexpr (Op == MUSTER_GATHERV || Op == MUSTER_SCATTERV) {
    if (!bytes_of(call.count, 1, element, &bytes)) [[unlikely]]
      return Refusal::kCount;
    uint64_t total = 0;
    uint64_t extent = 0;
    const uint64_t* const counts = Op == MUSTER_GATHERV ? call.recv_counts : call.send_counts;
    const uint64_t* const displs = Op == MUSTER_GATHERV ? call.recv_displs : call.send_displs;
    if (is_root) {
      if (counts == nullptr ||
          !vector_extent(counts, displs, group.size, element, &total, &extent) ||
          counts[group.rank] != call.count) {
        return Refusal::kCounts;
      }
    }
    call.selection_bytes = call.max_bytes != 0 ? call.max_bytes : kUnsized;
    needs_send = Op == MUSTER_GATHERV ? bytes != 0 : is_root && total != 0;
    needs_recv = Op == MUSTER_GATHERV ? is_root && total != 0 : bytes != 0;
    if (is_root && bytes != 0) {
      const uint64_t offset = displacement_of(counts, displs, group.rank) * element;
      in_place = Op == MUSTER_GATHERV ? call.send == at(call.recv, offset)
                                      : call.recv == at(call.send, offset);
    }
  } else if constexpr (Op == MUSTER_ALL_TO_ALLV) {
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t extent = 0;
    if (call.send_counts == nullptr || call.recv_counts == nullptr ||
        !vector_extent(call.send_counts, call.send_displs, group.size, element, &sent, &extent) ||
        !vector_extent(call.recv_counts, call.recv_displs, group.size, element, &received,
                       &extent) ||
        call.send_counts[group.rank] != call.recv_counts[group.rank]) {
      return Refusal::kCounts;
    }
    call.selection_bytes = call.max_bytes != 0 ? call.max_bytes : kUnsized;
    needs_send = sent != 0;
    needs_recv = received != 0;
    in_place = needs_send && needs_recv && call.send == call.recv;
  } else if constexpr (op_is_point_to_point(Op)) {
    if (call.peer >= group.size) [[unlikely]]
      return Refusal::kPeer;
    if (!bytes_of(call.count, 1, element, &bytes)) [[unlikely]]
      return Refusal::kCount;
    call.selection_bytes = kUnsized;  // a ring of send_recv has no size that its two ends share
    needs_send = Op != MUSTER_RECV && bytes != 0;
    needs_recv = Op == MUSTER_RECV && bytes != 0;
    if constexpr (Op == MUSTER_SEND_RECV) {
      if (call.recv_peer >= group.size) [[unlikely]]
        return Refusal::kPeer;
      if (!bytes_of(call.recv_count, 1, element, &bytes)) [[unlikely]]
        return Refusal::kCount;
      needs_recv = bytes != 0;
    }
  } else {
    call.dtype = MUSTER_DTYPE_NONE;
    call.selection_bytes = 0;
  }

  if constexpr (Op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
    if (const Refusal refusal = check_fused(call); refusal != Refusal::kNone) return refusal;
    if (call.fused->quant_group != 0) {
      if (in_place) return Refusal::kQuantisedInPlace;
      quantised = MUSTER_CALL_QUANTISED;
    }
  }
  if (needs_send && call.send == nullptr) [[unlikely]]
    return Refusal::kSendBuffer;
  if (needs_recv && call.recv == nullptr) [[unlikely]]
    return Refusal::kRecvBuffer;
  // Both ends of a call are of one kind; a call that mixes kinds is staged by its caller.
  if ((call.send_memory | call.recv_memory) == MUSTER_MEMORY_DEFAULT) [[likely]] {
    call.send_memory = call.recv_memory = group.memory;
    if (group.plane == nullptr) [[unlikely]]
      return Refusal::kMemory;
  } else if (!resolve_memory(group, call)) {
    return Refusal::kMemory;
  }
  if (call.stream.kind >= MUSTER_STREAM_KIND_END) [[unlikely]]
    return Refusal::kStream;
  call.phase = group.phase;
  call.flags = (call.flags & MUSTER_CALL_SYMMETRIC) |
               (in_place ? uint32_t{MUSTER_CALL_IN_PLACE} : 0u) | quantised;
  return Refusal::kNone;
}

// The same for an operation known at run time only.
Refusal prepare_any(const muster_group& group, muster_call& call);

}  // namespace muster

#endif
