#include "core/compose/staged.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/compose/parts.hpp"
#include "core/dispatch/extents.hpp"

namespace muster {
namespace {

// Bytes that lie together here and there.
struct Run {
  char* device;
  uint64_t host;  // where in the scratch
  uint64_t bytes;
};

// The operands of one call on the host, packed one after the other in one piece of scratch.
class Staging {
 public:
  Staging(muster_group& group, const muster_call& call, const Device& device)
      : group_(group), call_(call), device_(device), element_(dtype_size(call.dtype)) {}

  muster_status* run() {
    lay_out();
    Result<void*> scratch = group_.context.scratch.staging(
        scratch_user(group_, Recipe::kStagedThroughHost), call_.send_memory, bytes_);
    if (!scratch.ok()) return scratch.take_status().release();
    scratch_ = static_cast<char*>(*scratch);
    for (const Run& run : in_) MUSTER_PART(copy(scratch_ + run.host, run.device, run.bytes));
    MUSTER_PART(wait());
    MUSTER_PART(run_part(group_, on_host()));
    for (const Run& run : out_) MUSTER_PART(copy(run.device, scratch_ + run.host, run.bytes));
    return wait();  // the scratch is the next call's
  }

 private:
  // Room for bytes that this rank passes; where they begin.
  uint64_t take(uint64_t bytes) {
    constexpr uint64_t kLine = 64;
    return std::exchange(bytes_, bytes_ + (bytes + kLine - 1) / kLine * kLine);
  }

  uint64_t add(std::vector<Run>& runs, const void* device, uint64_t bytes) {
    const uint64_t at = take(bytes);
    if (bytes != 0) runs.push_back({static_cast<char*>(const_cast<void*>(device)), at, bytes});
    return at;
  }

  // Parts of the ranks, packed in rank order: what lies between them is not touched.
  uint64_t add_parts(std::vector<Run>& runs, const void* device, const uint64_t* counts,
                     const uint64_t* displs) {
    char* const base = static_cast<char*>(const_cast<void*>(device));
    uint64_t packed = 0;
    const uint64_t at = bytes_;
    for (uint32_t r = 0; r < group_.size; ++r) {
      const uint64_t bytes = counts[r] * element_;
      const uint64_t offset = displs == nullptr ? packed : displs[r] * element_;
      if (bytes != 0) {
        Run* const last = runs.empty() ? nullptr : &runs.back();
        const bool follows =
            packed != 0 && last != nullptr && last->device + last->bytes == base + offset;
        if (follows) {
          last->bytes += bytes;
        } else {
          runs.push_back({base + offset, at + packed, bytes});
        }
      }
      packed += bytes;
    }
    take(packed);
    return at;
  }

  void lay_out() {
    const Extents extents = extents_of(call_, group_.rank, group_.size);
    const bool parts_sent = reads_send_counts(call_, group_.rank);
    const bool parts_received =
        reads_recv_counts(call_, group_.rank) && call_.op != MUSTER_REDUCE_SCATTERV;
    send_ = parts_sent ? add_parts(in_, call_.send, call_.send_counts, call_.send_displs)
                       : add(in_, call_.send, extents.send);
    recv_ = parts_received ? add_parts(out_, call_.recv, call_.recv_counts, call_.recv_displs)
                           : add(out_, call_.recv, extents.recv);
    // What the root has in place is not written again: it may lie in memory that is only read.
    if (call_.op == MUSTER_BROADCAST && (call_.flags & MUSTER_CALL_IN_PLACE) != 0) out_.clear();
    if (call_.fused == nullptr || call_.op != MUSTER_FUSED_ALL_REDUCE_RMSNORM) return;
    const muster_fused_rmsnorm& fused = *call_.fused;
    const uint64_t bytes = call_.count * element_;
    weight_ = add(in_, fused.weight, fused.hidden * element_);
    if (fused.residual != nullptr) residual_ = add(in_, fused.residual, bytes);
    if (fused.residual_out != nullptr) residual_out_ = add(out_, fused.residual_out, bytes);
    if (fused.quant_group != 0) {
      scale_out_ =
          add(out_, fused.scale_out, call_.count / fused.quant_group * sizeof(*fused.scale_out));
    }
  }

  // Out of place on every rank, whatever the call is: in place or not is part of what ranks must
  // have alike.
  muster_call on_host() {
    muster_call host = call_;
    host.send_memory = host.recv_memory = MUSTER_HOST;
    host.flags = 0;
    host.stream = {MUSTER_STREAM_NONE, 0, 0};
    host.send = scratch_ + send_;
    host.recv = scratch_ + recv_;
    host.send_displs = host.recv_displs = nullptr;
    if (call_.op != MUSTER_FUSED_ALL_REDUCE_RMSNORM || call_.fused == nullptr) return host;
    fused_ = *call_.fused;
    fused_.weight = scratch_ + weight_;
    if (fused_.residual != nullptr) fused_.residual = scratch_ + residual_;
    if (fused_.residual_out != nullptr) fused_.residual_out = scratch_ + residual_out_;
    if (fused_.scale_out != nullptr)
      fused_.scale_out = reinterpret_cast<float*>(scratch_ + scale_out_);
    host.fused = &fused_;
    return host;
  }

  muster_status* copy(void* to, const void* from, uint64_t bytes) {
    return device_.table->copy(device_.instance, to, from, bytes, &call_.stream);
  }
  muster_status* wait() {
    if (call_.stream.kind == MUSTER_STREAM_NONE) return nullptr;  // each copy has been waited for
    return device_.table->synchronize(device_.instance, &call_.stream);
  }

  muster_group& group_;
  const muster_call& call_;
  const Device& device_;
  const uint64_t element_;
  uint64_t bytes_ = 0;
  uint64_t send_ = 0, recv_ = 0, weight_ = 0, residual_ = 0, residual_out_ = 0, scale_out_ = 0;
  std::vector<Run> in_, out_;
  char* scratch_ = nullptr;
  muster_fused_rmsnorm fused_{};
};

// Refuses a stream that is being captured although the group is in no graph phase.
Status check_stream(const muster_group& group, const muster_call& call, const Device& device) {
  if (call.stream.kind == MUSTER_STREAM_NONE) return Status();
  if (device.table->synchronize == nullptr) {
    return Status(MUSTER_UNIMPLEMENTED,
                  fmt::format("the plugin of {} memory cannot wait for a stream",
                              memory_name(call.send_memory)),
                  "make the call without a stream, or update the plugin");
  }
  muster_capture_state state = MUSTER_NOT_CAPTURING;
  if (device.table->capture_state == nullptr) return Status();
  MUSTER_TRY(Status(device.table->capture_state(device.instance, &call.stream, &state)));
  if (state == MUSTER_NOT_CAPTURING) return Status();
  return Status(MUSTER_FAILED_PRECONDITION,
                fmt::format("{} on group {} is staged through the host, and its stream is being "
                            "captured",
                            op_name(call.op), group.name),
                "make the call outside of the capture, and announce graphs with "
                "muster_graph_begin, which says so before any rank begins");
}

}  // namespace

muster_status* staged_through_host(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const Device* const device = group.context.devices->find(call->send_memory);
  if (device == nullptr) return not_offered(group, *call);
  if (Status status = check_stream(group, *call, *device); !status.ok()) return status.release();
  return Staging(group, *call, *device).run();
}

const Candidate* staged_when_eager(const Chain& chain, CellKey key, uint64_t bytes,
                                   uint32_t traits) {
  const Table& table = chain.table;
  if (key.phase == kPhaseEager || table.memory_slot[key.memory] == Table::kNoSlot) return nullptr;
  key.phase = kPhaseEager;
  const uint32_t row =
      cell_index(table.memory_slot[key.memory], key.phase, key.op, key.dtype, key.redop);
  const Band* const band = table.band(row, bytes);
  for (uint32_t i = 0; i < band->count; ++i) {
    const Candidate& candidate = table.candidates[band->first + i];
    if (candidate.backend == kComposed &&
        static_cast<Recipe>(candidate.rule) == Recipe::kStagedThroughHost &&
        (candidate.refuses & traits & ~uint32_t{kTraitAny}) == 0) {
      return &candidate;
    }
  }
  return nullptr;
}

}  // namespace muster
