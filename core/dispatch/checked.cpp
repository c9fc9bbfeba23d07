#include "core/dispatch/checked.hpp"

#include <fmt/format.h>

#include "core/base/units.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {
namespace {

struct Extents {
  uint64_t send = 0;  // bytes read
  uint64_t recv = 0;  // bytes written
};

Extents extents_of(const muster_group& group, const muster_call& call) {
  const uint64_t element = dtype_size(call.dtype);
  const uint64_t part = call.count * element;
  const bool is_root = !op_is_rooted(call.op) || call.root == group.rank;
  const auto extent = [&](const uint64_t* counts, const uint64_t* displs) {
    uint64_t total = 0;
    uint64_t end = 0;
    return counts != nullptr && vector_extent(counts, displs, group.size, element, &total, &end)
               ? end
               : 0;
  };
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return {part, part};
    case MUSTER_REDUCE:
      return {part, is_root ? part : 0};
    case MUSTER_BROADCAST:
      return {is_root ? part : 0, part};
    case MUSTER_ALL_GATHER:
      return {part, part * group.size};
    case MUSTER_GATHER:
      return {part, is_root ? part * group.size : 0};
    case MUSTER_REDUCE_SCATTER:
      return {part * group.size, part};
    case MUSTER_SCATTER:
      return {is_root ? part * group.size : 0, part};
    case MUSTER_ALL_TO_ALL:
      return {part * group.size, part * group.size};
    case MUSTER_ALL_GATHERV:
      return {part, extent(call.recv_counts, call.recv_displs)};
    case MUSTER_REDUCE_SCATTERV:
      return {extent(call.recv_counts, nullptr), part};
    case MUSTER_GATHERV:
      return {part, is_root ? extent(call.recv_counts, call.recv_displs) : 0};
    case MUSTER_SCATTERV:
      return {is_root ? extent(call.send_counts, call.send_displs) : 0, part};
    case MUSTER_ALL_TO_ALLV:
      return {extent(call.send_counts, call.send_displs),
              extent(call.recv_counts, call.recv_displs)};
    case MUSTER_SEND_RECV:
      return {part, call.recv_count * element};
    default:
      return {};
  }
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
  return text;
}

}  // namespace

Status check_overlap(const muster_group& group, const muster_call& call) {
  if ((call.flags & MUSTER_CALL_IN_PLACE) != 0) return Status();
  const Extents extents = extents_of(group, call);
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

Status check_across_ranks(muster_group& group, const muster_call& call) {
  const Status overlap = check_overlap(group, call);
  if (op_is_point_to_point(call.op) || group.size == 1) return overlap.copy();
  // A rank that found a fault of its own still takes part, so that the others hear of it instead of
  // waiting.
  group.context.operation += 1;  // the comparison has a deadline of its own
  const std::string mine = overlap.ok() ? key_text(call) : "fault: " + overlap.cause();
  Result<std::vector<std::string>> keys = group.context.world->all_gather(
      group.context.world_ranks, group.context.info.tag, mine, group.context.deadline());
  if (!keys.ok()) return keys.take_status();
  if (!overlap.ok()) return overlap.copy();
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
