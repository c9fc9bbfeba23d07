#include "core/compose/self.hpp"

#include <fmt/format.h>

#include <cstring>
#include <deque>

#include "core/base/names.hpp"
#include "core/base/status.hpp"
#include "core/compose/self_copy.hpp"
#include "core/compose/staged.hpp"
#include "core/kernels/registry.hpp"

namespace muster {
namespace {

constexpr uint64_t all_bits(uint32_t end) { return MUSTER_BIT(end) - 1; }

uint64_t offset_of(const uint64_t* displs, uint64_t element) {
  return displs == nullptr ? 0 : displs[0] * element;
}

const char* shifted(const void* base, uint64_t offset) {
  return static_cast<const char*>(base) + offset;
}
char* shifted(void* base, uint64_t offset) { return static_cast<char*>(base) + offset; }

// A sum on device memory that is scaled: no copy, and nobody offers it there.
muster_status* scale_on_device(muster_group& group, const muster_call& call) {
  if (group.phase_class == kPhaseEager)
    return staged_through_host(reinterpret_cast<muster_backend_group*>(&group), &call);
  return Status(MUSTER_UNAVAILABLE,
                fmt::format("{} of one rank on {} memory with a scalar is staged through the host, "
                            "which a graph cannot hold",
                            op_name(call.op), memory_name(call.send_memory)),
                "make the call outside of graphs, or scale the values in a kernel of the program")
      .release();
}

// A reduction over one rank: a copy, unless it scales or makes 0 and 1 of the values.
muster_status* reduce_one(muster_group& group, const muster_call& call, const SelfCopy& copy) {
  if (call.scalar == nullptr && call.redop < MUSTER_LAND)
    return copy(call.recv, call.send, call.count * dtype_size(call.dtype));
  if (call.send_memory != MUSTER_HOST) return scale_on_device(group, call);
  const muster_host_reduce kernel = host_reduce(call.dtype, call.redop);
  if (kernel == nullptr) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("there is no kernel that multiplies {}", dtype_name(call.dtype)),
                  "scale the values in another dtype")
        .release();
  }
  const void* const sources[] = {call.send};
  kernel(call.recv, sources, 1, call.count, call.scalar, 1);
  return nullptr;
}

}  // namespace

ChainBackend self_chain_backend(uint64_t device_memory) {
  muster_rule rule{};
  rule.struct_size = MUSTER_RULE_SIZE;
  rule.ops = all_bits(MUSTER_OP_END) & ~MUSTER_BIT(MUSTER_FUSED_ALL_REDUCE_RMSNORM) &
             ~MUSTER_BIT(MUSTER_OP_NONE);
  rule.dtypes = all_bits(MUSTER_DTYPE_END);
  rule.redops = all_bits(MUSTER_REDOP_END);
  rule.memory = MUSTER_BIT(MUSTER_HOST);
  rule.phases = all_bits(MUSTER_PHASE_END);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  rule.ranks_from = 1;
  rule.ranks_to = 1;
  rule.flags = MUSTER_RULE_UNSIZED;
  rule.determinism = MUSTER_SIZE_INVARIANT;
  std::memcpy(rule.name, "copy", 5);
  ChainBackend self{"self", 0, "runtime", {rule}, {}};
  // On a stream in every phase; without one when eager. Logical operations are no copies.
  rule.redops = MUSTER_BIT(MUSTER_LAND) - 1;
  for (muster_memory memory = MUSTER_HOST + 1; memory < MUSTER_MEMORY_END; ++memory) {
    if ((device_memory & MUSTER_BIT(memory)) == 0) continue;
    rule.memory = MUSTER_BIT(memory);
    rule.phases = all_bits(MUSTER_PHASE_END);
    rule.streams = MUSTER_BIT(stream_kind_of(memory));
    self.rules.push_back(rule);
    rule.phases = MUSTER_BIT(MUSTER_EAGER);
    rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
    self.rules.push_back(rule);
  }
  return self;
}

muster_status* self_execute(muster_backend_group* state, const muster_call* pointer) {
  muster_group& group = *reinterpret_cast<muster_group*>(state);
  const muster_call& call = *pointer;
  const SelfCopy copy(group.context.devices, call);
  const uint64_t element = dtype_size(call.dtype);
  const uint64_t bytes = call.count * element;
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      return reduce_one(group, call, copy);
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHERV:
      return copy(bytes == 0 ? nullptr : shifted(call.recv, offset_of(call.recv_displs, element)),
                  call.send, bytes);
    case MUSTER_SCATTERV:
      return copy(call.recv,
                  bytes == 0 ? nullptr : shifted(call.send, offset_of(call.send_displs, element)),
                  bytes);
    case MUSTER_ALL_TO_ALLV: {
      const uint64_t part = call.send_counts[0] * element;
      if (part == 0) return nullptr;
      return copy(shifted(call.recv, offset_of(call.recv_displs, element)),
                  shifted(call.send, offset_of(call.send_displs, element)), part);
    }
    case MUSTER_SEND_RECV: {
      const muster_call received = [&] {
        muster_call other = call;
        other.op = MUSTER_RECV;
        other.count = call.recv_count;
        return other;
      }();
      muster_call sent = call;
      sent.op = MUSTER_SEND;
      return self_batch(group, {sent, received});
    }
    case MUSTER_BARRIER:
      return nullptr;
    default:
      return copy(call.recv, call.send, bytes);
  }
}

muster_status* self_batch(muster_group& group, const std::vector<muster_call>& calls) {
  std::deque<const muster_call*> sends;
  std::deque<const muster_call*> receives;
  for (const muster_call& call : calls) {
    if (call.op == MUSTER_SEND) {
      sends.push_back(&call);
    } else if (call.op == MUSTER_RECV) {
      receives.push_back(&call);
    } else if (muster_status* status =
                   self_execute(reinterpret_cast<muster_backend_group*>(&group), &call)) {
      return status;
    }
  }
  if (sends.size() != receives.size()) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("a batch of a group of one has {} sends and {} receives",
                              sends.size(), receives.size()),
                  "every message to oneself needs both in the same batch")
        .release();
  }
  for (size_t i = 0; i < sends.size(); ++i) {
    const uint64_t sent = sends[i]->count * dtype_size(sends[i]->dtype);
    const uint64_t expected = receives[i]->count * dtype_size(receives[i]->dtype);
    if (sent != expected) {
      return Status(MUSTER_MISMATCH,
                    fmt::format("a message of {} bytes meets a receive of {}", sent, expected),
                    "give both ends the same count")
          .release();
    }
    if (muster_status* status =
            SelfCopy::between(group.context.devices, *sends[i], *receives[i], sent)) {
      return status;
    }
  }
  return nullptr;
}

}  // namespace muster
