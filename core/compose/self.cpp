#include "core/compose/self.hpp"

#include <fmt/format.h>

#include <cstring>
#include <deque>

#include "core/base/names.hpp"
#include "core/base/status.hpp"
#include "core/kernels/registry.hpp"

namespace muster {
namespace {

constexpr uint64_t all_bits(uint32_t end) { return MUSTER_BIT(end) - 1; }

void copy(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0 && to != from) std::memmove(to, from, bytes);
}

uint64_t offset_of(const uint64_t* displs, uint64_t element) {
  return displs == nullptr ? 0 : displs[0] * element;
}

const char* shifted(const void* base, uint64_t offset) {
  return static_cast<const char*>(base) + offset;
}
char* shifted(void* base, uint64_t offset) { return static_cast<char*>(base) + offset; }

// A reduction over one rank: a copy, unless it scales or makes 0 and 1 of the values.
muster_status* reduce_one(const muster_call& call) {
  if (call.scalar == nullptr && call.redop < MUSTER_LAND) {
    copy(call.recv, call.send, call.count * dtype_size(call.dtype));
    return nullptr;
  }
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

ChainBackend self_chain_backend() {
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
  return {"self", 0, "runtime", {rule}};
}

muster_status* self_execute(muster_backend_group*, const muster_call* pointer) {
  const muster_call& call = *pointer;
  const uint64_t element = dtype_size(call.dtype);
  const uint64_t bytes = call.count * element;
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_REDUCE:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_REDUCE_SCATTERV:
      return reduce_one(call);
    case MUSTER_ALL_GATHERV:
    case MUSTER_GATHERV:
      copy(bytes == 0 ? nullptr : shifted(call.recv, offset_of(call.recv_displs, element)),
           call.send, bytes);
      return nullptr;
    case MUSTER_SCATTERV:
      copy(call.recv,
           bytes == 0 ? nullptr : shifted(call.send, offset_of(call.send_displs, element)), bytes);
      return nullptr;
    case MUSTER_ALL_TO_ALLV: {
      const uint64_t part = call.send_counts[0] * element;
      if (part == 0) return nullptr;
      copy(shifted(call.recv, offset_of(call.recv_displs, element)),
           shifted(call.send, offset_of(call.send_displs, element)), part);
      return nullptr;
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
      return self_batch({sent, received});
    }
    case MUSTER_BARRIER:
      return nullptr;
    default:
      copy(call.recv, call.send, bytes);
      return nullptr;
  }
}

muster_status* self_batch(const std::vector<muster_call>& calls) {
  std::deque<const muster_call*> sends;
  std::deque<const muster_call*> receives;
  for (const muster_call& call : calls) {
    if (call.op == MUSTER_SEND) {
      sends.push_back(&call);
    } else if (call.op == MUSTER_RECV) {
      receives.push_back(&call);
    } else if (muster_status* status = self_execute(nullptr, &call)) {
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
    copy(receives[i]->recv, sends[i]->send, sent);
  }
  return nullptr;
}

}  // namespace muster
