#include "core/dispatch/prepare.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/base/status.hpp"

namespace muster {
namespace {

Status make_refusal(const muster_group& group, const muster_call& call, Refusal refusal) {
  const std::string where = fmt::format("{} on group {}", op_name(call.op), group.name);
  const auto wrong = [&](const std::string& what, const std::string& remedy) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{}: {}", where, what), remedy);
  };
  switch (refusal) {
    case Refusal::kOp:
      return wrong(fmt::format("operation {} is unknown", call.op),
                   fmt::format("use one of {}", all_op_names()));
    case Refusal::kDtype:
      return wrong(fmt::format("dtype {} is unknown", call.dtype),
                   fmt::format("use one of {}", all_dtype_names()));
    case Refusal::kRedop:
      if (call.redop == MUSTER_REDOP_NONE || call.redop >= MUSTER_REDOP_END) {
        return wrong(fmt::format("reduce operation {} is unknown", call.redop),
                     fmt::format("use one of {}", all_redop_names()));
      }
      return wrong(
          fmt::format("{} is not defined for {}", redop_name(call.redop), dtype_name(call.dtype)),
          "bitwise and logical operations are for integers and bool");
    case Refusal::kRoot:
      return wrong(fmt::format("root {} is outside the group", call.root),
                   fmt::format("give a group rank of 0 to {}", group.size - 1));
    case Refusal::kPeer:
      return wrong(fmt::format("peer {} is outside the group",
                               call.peer < group.size ? call.recv_peer : call.peer),
                   fmt::format("give a group rank of 0 to {}", group.size - 1));
    case Refusal::kSelf:
      return wrong("the peer is this rank itself, the call could never end",
                   "use muster_send_recv or muster_batch");
    case Refusal::kCount:
      return Status(MUSTER_OUT_OF_RANGE,
                    fmt::format("{}: {} elements of {} for {} ranks do not fit in 63 bits of bytes",
                                where, call.count, dtype_name(call.dtype), group.size),
                    "look for a negative number that became unsigned");
    case Refusal::kCounts:
      return wrong(
          "a counts vector is NULL, does not fit in 63 bits of bytes, or gives this rank another "
          "count than the call",
          "give one count per rank of the group");
    case Refusal::kSendBuffer:
      return wrong("send is NULL and the count is not 0", "give the buffer to read from");
    case Refusal::kRecvBuffer:
      return wrong("recv is NULL and the count is not 0", "give the buffer to write to");
    case Refusal::kMemory:
      return wrong(
          fmt::format("memory kinds {} (send) and {} (recv) are not served here",
                      memory_name(call.send_memory), memory_name(call.recv_memory)),
          "both must be one kind that a backend of the group offers; muster explain lists them");
    case Refusal::kStream:
      return wrong(fmt::format("stream kind {} is unknown", call.stream.kind),
                   "see muster/types.h");
    case Refusal::kFused:
      return wrong(
          "the fused operands are missing, their struct_size or weight is not set, or the reduce "
          "operation is not sum",
          "fill in muster_fused_rmsnorm, and sum");
    case Refusal::kFusedHidden:
      return wrong(fmt::format("count is not rows*hidden: {} elements in rows of {}", call.count,
                               call.fused->hidden),
                   "give hidden > 0, and count a multiple of it");
    case Refusal::kFusedEpsilon:
      return wrong(fmt::format("epsilon is {}", call.fused->epsilon),
                   "give a finite number that is not negative, as 1e-6");
    case Refusal::kQuantGroup:
      return wrong(
          fmt::format("quant_group {} does not divide hidden {}", call.fused->quant_group,
                      call.fused->hidden),
          "give a divisor of hidden, usually 128; or 0 for a result that is not quantised");
    case Refusal::kScaleOut:
      return wrong("scale_out is NULL, quant_group is not 0, and the count is not 0",
                   fmt::format("give room for {} scales (count / quant_group)",
                               call.count / call.fused->quant_group));
    case Refusal::kQuantisedInPlace:
      return wrong("send and recv are the same buffer, and the result is quantised",
                   "give recv a buffer of its own, of one byte per element");
    case Refusal::kRecvDtype:
      return wrong(fmt::format("recv_dtype is {}, dtype {}", dtype_name(call.recv_dtype),
                               dtype_name(call.dtype)),
                   "leave recv_dtype 0: only quantised fused calls differ, and theirs is f8e4m3");
    case Refusal::kScalar:
      return wrong("scalar is given, and the reduce operation is not sum", "leave scalar NULL");
    case Refusal::kLater:
      return Status(MUSTER_UNIMPLEMENTED,
                    fmt::format("{}: the record is {} bytes and sets what this runtime, of ABI "
                                "{}.{}, does not know",
                                where, call.struct_size, MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR),
                    "leave the fields of later headers zero, or update muster");
    case Refusal::kNone:
      break;
  }
  return Status(MUSTER_INTERNAL, "a call without a fault was refused", "report this");
}

}  // namespace

muster_status* refuse_call(const muster_group& group, const muster_call& call, Refusal refusal) {
  return at_boundary([&] { return make_refusal(group, call, refusal); });
}

bool vector_extent(const uint64_t* counts, const uint64_t* displs, uint32_t size, uint64_t element,
                   uint64_t* total, uint64_t* extent) {
  uint64_t sum = 0;
  uint64_t end = 0;
  for (uint32_t r = 0; r < size; ++r) {
    uint64_t last = 0;
    if (__builtin_add_overflow(displs != nullptr ? displs[r] : sum, counts[r], &last)) return false;
    if (__builtin_add_overflow(sum, counts[r], &sum)) return false;
    if (counts[r] != 0 && last > end) end = last;
  }
  return bytes_of(sum, 1, element, total) && bytes_of(end, 1, element, extent);
}

uint64_t displacement_of(const uint64_t* counts, const uint64_t* displs, uint32_t rank) {
  if (displs != nullptr) return displs[rank];
  uint64_t offset = 0;
  for (uint32_t r = 0; r < rank; ++r) offset += counts[r];
  return offset;
}

Refusal check_fused(muster_call& call) {
  const muster_fused_rmsnorm* const fused = call.fused;
  if (fused == nullptr || !MUSTER_HAS_FIELD(fused, muster_fused_rmsnorm, epsilon) ||
      fused->weight == nullptr || call.redop != MUSTER_SUM) {
    return Refusal::kFused;
  }
  if (fused->hidden == 0 || call.count % fused->hidden != 0) return Refusal::kFusedHidden;
  if (!std::isfinite(fused->epsilon) || fused->epsilon < 0) return Refusal::kFusedEpsilon;
  const bool quantised = fused->quant_group != 0;
  if (call.recv_dtype != MUSTER_DTYPE_NONE &&
      call.recv_dtype != (quantised ? muster_dtype{MUSTER_F8E4M3} : call.dtype)) {
    return Refusal::kRecvDtype;
  }
  call.recv_dtype = quantised ? MUSTER_F8E4M3 : MUSTER_DTYPE_NONE;
  if (!quantised) return Refusal::kNone;
  if (fused->hidden % fused->quant_group != 0) return Refusal::kQuantGroup;
  if (fused->scale_out == nullptr && call.count != 0) return Refusal::kScaleOut;
  return Refusal::kNone;
}

bool resolve_memory(const muster_group& group, muster_call& call) {
  if (call.send_memory == MUSTER_MEMORY_DEFAULT) call.send_memory = group.memory;
  if (call.recv_memory == MUSTER_MEMORY_DEFAULT) call.recv_memory = group.memory;
  return call.send_memory < MUSTER_MEMORY_END && call.send_memory == call.recv_memory &&
         group.chain.table.memory_slot[call.send_memory] != Table::kNoSlot;
}

Refusal prepare_any(const muster_group& group, muster_call& call) {
  if (call.op != MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
    if (call.recv_dtype != MUSTER_DTYPE_NONE && call.recv_dtype != call.dtype)
      return Refusal::kRecvDtype;
    call.recv_dtype = MUSTER_DTYPE_NONE;
  }
  switch (call.op) {
#define MUSTER_CASE(op) \
  case op:              \
    return prepare_call<op>(group, call)
    MUSTER_CASE(MUSTER_ALL_REDUCE);
    MUSTER_CASE(MUSTER_REDUCE);
    MUSTER_CASE(MUSTER_REDUCE_SCATTER);
    MUSTER_CASE(MUSTER_REDUCE_SCATTERV);
    MUSTER_CASE(MUSTER_FUSED_ALL_REDUCE_RMSNORM);
    MUSTER_CASE(MUSTER_BROADCAST);
    MUSTER_CASE(MUSTER_ALL_GATHER);
    MUSTER_CASE(MUSTER_ALL_GATHERV);
    MUSTER_CASE(MUSTER_GATHER);
    MUSTER_CASE(MUSTER_GATHERV);
    MUSTER_CASE(MUSTER_SCATTER);
    MUSTER_CASE(MUSTER_SCATTERV);
    MUSTER_CASE(MUSTER_ALL_TO_ALL);
    MUSTER_CASE(MUSTER_ALL_TO_ALLV);
    MUSTER_CASE(MUSTER_SEND);
    MUSTER_CASE(MUSTER_RECV);
    MUSTER_CASE(MUSTER_SEND_RECV);
    MUSTER_CASE(MUSTER_BARRIER);
#undef MUSTER_CASE
    default:
      return Refusal::kOp;
  }
}

}  // namespace muster
