#include "core/compose/staged.hpp"

#include <fmt/format.h>

#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/compose/parts.hpp"
#include "core/dispatch/batch.hpp"
#include "core/dispatch/extents.hpp"

namespace muster {
namespace {

// Bytes that lie together here and there.
struct Run {
  char* device;
  uint64_t host;  // where in the scratch
  uint64_t bytes;
};

// The operands of one call on the host, packed one after the other in a piece of scratch.
class Staging {
 public:
  // begin: where in the scratch its room begins.
  Staging(const muster_group& group, const muster_call& call, const Device& device, uint64_t begin)
      : group_(group),
        call_(call),
        device_(device),
        element_(dtype_size(call.dtype)),
        bytes_(begin) {
    lay_out();
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  uint64_t end() const { return bytes_; }

  muster_status* copy_in(char* scratch) {
    scratch_ = scratch;
    for (const Run& run : in_) MUSTER_PART(copy(scratch_ + run.host, run.device, run.bytes));
    return nullptr;
  }
  muster_status* copy_out() {
    for (const Run& run : out_) MUSTER_PART(copy(run.device, scratch_ + run.host, run.bytes));
    return nullptr;
  }
  // For all that the call's stream has been given.
  muster_status* wait() {
    if (call_.stream.kind == MUSTER_STREAM_NONE) return nullptr;  // each copy has been waited for
    return device_.table->synchronize(device_.instance, &call_.stream);
  }

  // The call on what has been copied in. Out of place on every rank, whatever the call is: in place
  // or not is part of what ranks must have alike. Valid as long as this.
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

  muster_status* copy(void* to, const void* from, uint64_t bytes) {
    return device_.table->copy(device_.instance, to, from, bytes, &call_.stream);
  }

  const muster_group& group_;
  const muster_call& call_;
  const Device& device_;
  const uint64_t element_;
  uint64_t bytes_;
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

// Stages calls that are carried out together by `run`, which is given them on the host.
template <typename RunCalls>
muster_status* stage(muster_group& group, std::span<const muster_call> calls, RunCalls run) {
  std::deque<Staging> stagings;  // they stay where they are
  uint64_t bytes = 0;
  for (const muster_call& call : calls) {
    const Device* const device = group.context.devices->find(call.send_memory);
    if (device == nullptr) return not_offered(group, call);
    if (Status status = check_stream(group, call, *device); !status.ok()) return status.release();
    bytes = stagings.emplace_back(group, call, *device, bytes).end();
  }
  Result<void*> scratch = group.context.scratch.staging(
      scratch_user(group, Recipe::kStagedThroughHost), calls.front().send_memory, bytes);
  if (!scratch.ok()) return scratch.take_status().release();
  std::vector<muster_call> on_host;
  for (Staging& staging : stagings) MUSTER_PART(staging.copy_in(static_cast<char*>(*scratch)));
  for (Staging& staging : stagings) {
    MUSTER_PART(staging.wait());
    on_host.push_back(staging.on_host());
  }
  MUSTER_PART(run(on_host));
  for (Staging& staging : stagings) MUSTER_PART(staging.copy_out());
  for (Staging& staging : stagings) MUSTER_PART(staging.wait());  // the scratch is the next call's
  return nullptr;
}

}  // namespace

muster_status* staged_through_host(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  return stage(group, {call, 1}, [&](const std::vector<muster_call>& on_host) {
    return run_part(group, on_host.front());
  });
}

bool is_staged(const Candidate& candidate) {
  return candidate.backend == kComposed &&
         static_cast<Recipe>(candidate.rule) == Recipe::kStagedThroughHost;
}

muster_status* staged_batch(muster_group& group, const std::vector<muster_call>& messages) {
  for (const muster_call& call : messages) {
    Counter& counter = group.counters_of(kComposed)[call.op];
    counter.calls += 1;
    counter.bytes += counted_bytes(call, call.op);
  }
  muster_status* const status =
      stage(group, messages, [&](std::vector<muster_call>& on_host) -> muster_status* {
        for (muster_call& call : on_host) {
          if (const Refusal refusal = prepare_any(group, call); refusal != Refusal::kNone)
            return refuse_call(group, call, refusal);
        }
        return run_batch(group, on_host);
      });
  return status == nullptr ? nullptr : call_failed(group, messages.front(), status);
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
    if (is_staged(candidate) && (candidate.refuses & traits & ~uint32_t{kTraitAny}) == 0)
      return &candidate;
  }
  return nullptr;
}

bool sums_are_staged(const Chain& chain, muster_memory memory) {
  const Table& table = chain.table;
  if (memory == MUSTER_HOST || table.memory_slot[memory] == Table::kNoSlot) return false;
  const uint32_t row =
      cell_index(table.memory_slot[memory], kPhaseEager, MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM);
  const Candidate* const candidate = table.find(
      row, 0, kTraitOutOfPlace | kTraitNotSymmetric | (kTraitStream << stream_kind_of(memory)));
  return candidate != nullptr && is_staged(*candidate);
}

}  // namespace muster
