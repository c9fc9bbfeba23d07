// The part of a call that selects its row of the dispatch table, as a dense index.
//
// (memory kind, phase class, operation, dtype, reduce operation): everything here is equal on all
// ranks by the contract of the call. Operations that do not reduce have no reduce-operation axis;
// send, recv and send_recv are one operation, since the two ends of a message must be served by the
// same backend.
//
// The axes are 16 wide, so that whatever is below 16 has a row of its own, also where no such dtype
// or reduce operation exists: those rows stay empty, and the path of a call needs no check of its
// own for them.
#ifndef MUSTER_CORE_CHAIN_KEY_HPP
#define MUSTER_CORE_CHAIN_KEY_HPP

#include <array>
#include <cstdint>

#include "core/base/names.hpp"
#include "muster/call.h"

namespace muster {

enum PhaseClass : uint32_t {
  kPhaseEager = 0,
  kPhaseGraph = 1,
  kPhasePiecewise = 2,
  kPhaseClassEnd = 3
};

constexpr PhaseClass phase_class_of(muster_phase phase) {
  if (phase == MUSTER_EAGER) return kPhaseEager;
  return phase == MUSTER_GRAPH_PIECEWISE ? kPhasePiecewise : kPhaseGraph;
}
constexpr const char* phase_class_name(PhaseClass phase) {
  return phase == kPhaseEager ? "eager" : phase == kPhaseGraph ? "graph" : "piecewise";
}

// selection_bytes of calls whose size is not known to all ranks.
constexpr uint64_t kUnsized = UINT64_MAX;

// Calls of these may be unsized: not every rank knows every count.
constexpr bool op_can_be_unsized(muster_op op) {
  return op == MUSTER_GATHERV || op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALLV ||
         op_is_point_to_point(op);
}

// The row's coordinates.
struct CellKey {
  muster_memory memory = MUSTER_HOST;
  PhaseClass phase = kPhaseEager;
  muster_op op = MUSTER_OP_NONE;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
};

namespace cell {

constexpr uint32_t kAxis = 16;
static_assert(MUSTER_DTYPE_END <= kAxis && MUSTER_REDOP_END <= kAxis);

// Where each operation's block begins, within one (memory, phase) plane.
constexpr std::array<uint32_t, MUSTER_OP_END + 1> kBase = [] {
  std::array<uint32_t, MUSTER_OP_END + 1> base{};
  uint32_t next = 0;
  for (muster_op op = 0; op < MUSTER_OP_END; ++op) {
    base[op] = next;
    if (op == MUSTER_OP_NONE || op == MUSTER_RECV || op == MUSTER_SEND_RECV)
      continue;  // empty, or as send
    next += op_reduces(op) ? kAxis * kAxis : kAxis;
  }
  base[MUSTER_RECV] = base[MUSTER_SEND_RECV] = base[MUSTER_SEND];
  base[MUSTER_OP_END] = next;
  return base;
}();
constexpr uint32_t kPlane = kBase[MUSTER_OP_END];
constexpr std::array<uint32_t, MUSTER_OP_END> kStride = [] {
  std::array<uint32_t, MUSTER_OP_END> stride{};
  for (muster_op op = 0; op < MUSTER_OP_END; ++op) stride[op] = op_reduces(op) ? kAxis : 1;
  return stride;
}();

// The index of a row within a plane.
constexpr uint32_t row(muster_op op, muster_dtype dtype, muster_redop redop) {
  return kBase[op] + dtype * kStride[op] + redop;
}

}  // namespace cell

constexpr muster_op selection_op(muster_op op) {
  return op_is_point_to_point(op) ? muster_op{MUSTER_SEND} : op;
}

// The index of a row, within the plane of a memory kind's slot. Arguments must be inside their
// vocabularies; redop is NONE for operations that do not reduce.
constexpr uint32_t cell_index(uint32_t memory_slot, PhaseClass phase, muster_op op,
                              muster_dtype dtype, muster_redop redop) {
  return (memory_slot * kPhaseClassEnd + phase) * cell::kPlane + cell::row(op, dtype, redop);
}

}  // namespace muster

#endif
