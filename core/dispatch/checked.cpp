#include "core/dispatch/checked.hpp"

#include <fmt/format.h>

#include "core/base/digest.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/extents.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {
namespace {

struct Operand {
  const char* name;
  const void* data;
  uint64_t bytes;
};

bool overlap(const Operand& a, const Operand& b) {
  const auto begin_a = reinterpret_cast<uintptr_t>(a.data);
  const auto begin_b = reinterpret_cast<uintptr_t>(b.data);
  return a.data != nullptr && b.data != nullptr && a.bytes != 0 && b.bytes != 0 &&
         begin_a < begin_b + b.bytes && begin_b < begin_a + a.bytes;
}

// Outputs of the fused operation against everything else; send and recv are seen to before.
Status check_fused_overlap(const muster_group& group, const muster_call& call) {
  const muster_fused_rmsnorm& fused = *call.fused;
  const uint64_t element = dtype_size(call.dtype);
  const uint64_t bytes = call.count * element;
  const uint64_t scales = fused.quant_group == 0 ? 0 : call.count / fused.quant_group;
  const Operand send{"send", call.send, bytes};
  const Operand recv{"recv", call.recv, call.count * recv_element(call)};
  const Operand residual{"residual", fused.residual, bytes};
  const Operand residual_out{"residual_out", fused.residual_out, bytes};
  const Operand weight{"weight", fused.weight, fused.hidden * element};
  const Operand scale_out{"scale_out", fused.scale_out, scales * sizeof(float)};
  const bool in_place = residual.data == residual_out.data;
  const std::pair<const Operand&, const Operand&> apart[] = {
      {recv, residual},          {recv, residual_out},     {recv, weight},
      {recv, scale_out},         {residual_out, send},     {residual_out, weight},
      {residual_out, scale_out}, {scale_out, send},        {scale_out, residual},
      {scale_out, weight},       {residual_out, residual},
  };
  for (const auto& [output, other] : apart) {
    if (!overlap(output, other) || (&other == &residual && &output == &residual_out && in_place))
      continue;
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("{} on group {}: {} ({} bytes) and {} ({} bytes) overlap", op_name(call.op),
                    group.name, output.name, output.bytes, other.name, other.bytes),
        "give separate buffers; send and recv may be the same, residual and residual_out "
        "may be the same");
  }
  return Status();
}

// The operands of the fused operation that the ranks must have alike; contents by their digest,
// where this process can read them.
std::string fused_text(const muster_call& call) {
  const muster_fused_rmsnorm& fused = *call.fused;
  const uint64_t element = dtype_size(call.dtype);
  std::string text = fmt::format(" hidden {} epsilon {}", fused.hidden, fused.epsilon);
  if (fused.quant_group != 0) text += fmt::format(" quant_group {}", fused.quant_group);
  if (fused.residual_out == nullptr) text += " without residual_out";
  const auto content = [&](const char* name, const void* data, uint64_t elements) {
    if (data == nullptr) {
      text += fmt::format(" without {}", name);
    } else if (call.send_memory == MUSTER_HOST) {
      const std::string_view bytes(static_cast<const char*>(data), elements * element);
      text += fmt::format(" {} {}", name, digest_of(bytes).short_text());
    }
  };
  content("residual", fused.residual, call.count);
  content("weight", fused.weight, fused.hidden);
  return text;
}

// What the ranks must have alike, for people and for comparison.
std::string key_text(const muster_call& call) {
  std::string text = op_name(call.op);
  if (call.op == MUSTER_BARRIER) return text;
  text += fmt::format(" {}", dtype_name(call.dtype));
  if (op_reduces(call.op)) text += fmt::format(" {}", redop_name(call.redop));
  if (op_is_rooted(call.op)) text += fmt::format(" root {}", call.root);
  text += call.selection_bytes == kUnsized ? " unsized"
                                           : fmt::format(" {} bytes", call.selection_bytes);
  if (!op_is_rooted(call.op))
    text += (call.flags & MUSTER_CALL_IN_PLACE) != 0 ? " in place" : " out of place";
  text += fmt::format(" {} memory{}{} stream {}", memory_name(call.send_memory),
                      (call.flags & MUSTER_CALL_SYMMETRIC) != 0 ? " symmetric" : "",
                      call.scalar != nullptr ? " scaled" : "", stream_kind_name(call.stream.kind));
  if (call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) text += fused_text(call);
  return text;
}

}  // namespace

Status check_overlap(const muster_group& group, const muster_call& call) {
  if (call.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) MUSTER_TRY(check_fused_overlap(group, call));
  if ((call.flags & MUSTER_CALL_IN_PLACE) != 0) return Status();
  const Extents extents = extents_of(call, group.rank, group.size);
  if (extents.send == 0 || extents.recv == 0) return Status();
  const auto send = reinterpret_cast<uintptr_t>(call.send);
  const auto recv = reinterpret_cast<uintptr_t>(call.recv);
  if (send + extents.send <= recv || recv + extents.recv <= send) return Status();
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("{} on group {}: send ({} bytes) and recv ({} bytes) overlap, and not "
                            "in one of the in-place layouts",
                            op_name(call.op), group.name, extents.send, extents.recv),
                "give separate buffers, or the layout of muster/call.h");
}

Status check_symmetric(const muster_group& group, const muster_call& call) {
  if ((call.flags & MUSTER_CALL_SYMMETRIC) == 0) return Status();
  const Extents extents = extents_of(call, group.rank, group.size);
  for (const Operand& operand :
       {Operand{"send", call.send, extents.send}, Operand{"recv", call.recv, extents.recv}}) {
    if (operand.bytes == 0 || group.registered.holds(operand.data, operand.bytes)) continue;
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("{} on group {} says MUSTER_CALL_SYMMETRIC, but {} ({} bytes at {}) "
                    "lies in no memory of this group",
                    op_name(call.op), group.name, operand.name, operand.bytes, operand.data),
        "use memory of muster_mem_alloc or muster_mem_register, or leave the flag out on "
        "every rank");
  }
  return Status();
}

Status check_across_ranks(muster_group& group, const muster_call& call) {
  Status fault = check_overlap(group, call);
  if (fault.ok()) fault = check_symmetric(group, call);
  if (op_is_point_to_point(call.op) || group.size == 1) return fault;
  // A rank that found a fault of its own still takes part, so that the others hear of it instead of
  // waiting.
  group.context.begin_operation();  // the comparison has a deadline of its own
  const std::string mine = fault.ok() ? key_text(call) : "fault: " + fault.cause();
  Result<std::vector<std::string>> keys = group.context.world->all_gather(
      group.context.world_ranks, group.context.info.tag, mine, group.context.deadline());
  if (!keys.ok()) {
    return ranks_are_apart(group, keys.status(),
                           fmt::format("comparing {} across the ranks", op_name(call.op)));
  }
  if (!fault.ok()) return fault;
  std::string differing;
  for (uint32_t r = 0; r < group.size; ++r) {
    if ((*keys)[r] != (*keys)[0] || (*keys)[r].starts_with("fault: ")) {
      differing += fmt::format("{}rank {}: {}", differing.empty() ? "" : "; ", r, (*keys)[r]);
    }
  }
  if (differing.empty()) return Status();
  return Status(MUSTER_MISMATCH,
                fmt::format("the ranks of group {} make different calls: rank 0: {}; {}",
                            group.name, (*keys)[0], differing),
                "nothing was done; make the same call on every rank, in the same order");
}

}  // namespace muster
