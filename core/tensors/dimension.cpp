#include "core/tensors/dimension.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"
#include "core/compose/parts.hpp"
#include "core/tensors/group_call.hpp"
#include "core/tensors/runs.hpp"
#include "muster/tensors.h"

namespace muster {
namespace {

Status wrong_shape(const muster_group& group, const muster_call& call, ShapeView shape,
                   uint32_t dim, const std::string& what, const std::string& remedy) {
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("{}_dim on group {}: shape {}, dim {}: {}", op_name(call.op),
                            group.name, shape_text(shape), dim, what),
                remedy);
}

Status check_shape(const muster_group& group, const muster_call& call, ShapeView shape,
                   uint32_t dim) {
  const auto wrong = [&](const std::string& what, const std::string& remedy) {
    return wrong_shape(group, call, shape, dim, what, remedy);
  };
  if (shape.empty()) return wrong("there is no dimension", "give 1 to 8 dimensions");
  if (dim >= shape.size()) {
    return wrong("there is no such dimension",
                 fmt::format("give a dim of 0 to {}; count from the front", shape.size() - 1));
  }
  const std::optional<uint64_t> bytes = bytes_of(shape, call.dtype);
  const uint64_t ranks = call.op == MUSTER_REDUCE_SCATTER ? 1 : group.size;
  uint64_t whole = 0;
  if (!bytes || !bytes_of(*bytes, ranks, 1, &whole)) {
    return Status(MUSTER_OUT_OF_RANGE,
                  fmt::format("{}_dim on group {}: shape {} of {} for {} ranks does not fit in 63 "
                              "bits of bytes",
                              op_name(call.op), group.name, shape_text(shape),
                              dtype_name(call.dtype), group.size),
                  "look for a negative number that became unsigned");
  }
  if (call.op == MUSTER_REDUCE_SCATTER && shape[dim] % group.size != 0) {
    return wrong(fmt::format("the group's size, {}, does not divide {}", group.size, shape[dim]),
                 "pad the dimension, or use muster_reduce_scatterv");
  }
  return Status();
}

// Run through scratch: the whole tensor in blocks of ranks.
Status run_in_blocks(muster_group& group, const muster_call& call, uint64_t outer, uint64_t bytes) {
  const bool reduces = call.op == MUSTER_REDUCE_SCATTER;
  const bool receives = call.op != MUSTER_GATHER || call.root == group.rank;
  const auto refuse = [&](Refusal refusal) { return Status(refuse_call(group, call, refusal)); };
  muster_call resolved = call;
  if (!resolve_memory(group, resolved)) return refuse(Refusal::kMemory);
  const muster_memory memory = resolved.send_memory;
  Result<RunMover> mover = RunMover::make(*group.context.devices, memory, call.stream);
  if (!mover.ok()) return mover.take_status();
  if (call.op == MUSTER_GATHER && call.root >= group.size) return refuse(Refusal::kRoot);
  if (call.send == nullptr) return refuse(Refusal::kSendBuffer);
  if (receives && call.recv == nullptr) return refuse(Refusal::kRecvBuffer);

  settle(group);
  void* blocks = nullptr;
  // In a graph phase every rank takes it, needed or not, so that all are refused together.
  if (receives || group.phase != MUSTER_EAGER) {
    Result<void*> got = group.context.scratch.get(dimension_scratch(group), memory,
                                                  reduces ? bytes : bytes * group.size);
    if (!got.ok()) return got.take_status();
    blocks = *got;
  }
  const Runs runs{outer, bytes / outer / (reduces ? group.size : 1), group.size};
  muster_call part = call;
  part.flags &= ~uint32_t{MUSTER_CALL_SYMMETRIC};  // scratch is at another place on every rank
  if (reduces) {
    MUSTER_TRY(mover->split(blocks, call.send, runs));
    part.send = blocks;
    return call_group(group, part);
  }
  part.recv = blocks;
  MUSTER_TRY(call_group(group, part));
  return receives ? mover->join(call.recv, blocks, runs) : Status();
}

}  // namespace

Scratch::User dimension_scratch(const muster_group& group) {
  return scratch_user(group, Recipe::kEnd);
}

Status run_along(muster_group& group, muster_call call, ShapeView shape, uint32_t dim) {
  if (dtype_size(call.dtype) == 0) return Status(refuse_call(group, call, Refusal::kDtype));
  MUSTER_TRY(check_shape(group, call, shape, dim));
  const uint64_t total = *elements_of(shape);
  const uint64_t outer = *elements_of(shape.first(dim));
  call.count = call.op == MUSTER_REDUCE_SCATTER ? total / group.size : total;
  if (outer <= 1 || total == 0 || group.size == 1) return call_group(group, call);
  return run_in_blocks(group, call, outer, total * dtype_size(call.dtype));
}

}  // namespace muster
