#include "core/query/scratch.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"

namespace muster {

Result<void*> Scratch::get(User user, muster_memory memory, uint64_t bytes) {
  if (memory != MUSTER_HOST) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("no scratch memory of kind {}", memory_name(memory)),
                  "install the plugin that gives muster.device/1 for it");
  }
  Buffer& buffer = buffers_[user];
  if (buffer.bytes < bytes) {
    if (!may_grow_) {
      return Status(
          MUSTER_FAILED_PRECONDITION,
          fmt::format("{} bytes of scratch are needed in a graph phase, {} are reserved", bytes,
                      buffer.bytes),
          fmt::format("call muster_group_reserve(group, MUSTER_HOST, {}) before muster_graph_begin",
                      bytes));
    }
    if (Status status = grow(buffer, bytes); !status.ok()) return status;
  }
  return buffer.memory.get();
}

Status Scratch::reserve(User user, muster_memory memory, uint64_t bytes) {
  const bool allowed = may_grow_;
  may_grow_ = true;
  Result<void*> got = get(user, memory, bytes);
  may_grow_ = allowed;
  return got.take_status();
}

Status Scratch::grow(Buffer& buffer, uint64_t bytes) {
  constexpr uint64_t kPage = 4096;
  if (bytes > UINT64_MAX - kPage)
    return Status(MUSTER_OUT_OF_RANGE, "scratch size does not fit in 64 bits");
  const uint64_t rounded = (bytes + kPage - 1) / kPage * kPage;
  void* const memory = std::aligned_alloc(kPage, rounded);
  if (memory == nullptr) {
    return Status(MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("{} bytes of scratch could not be allocated", rounded));
  }
  buffer.memory.reset(memory);
  buffer.bytes = rounded;
  return Status();
}

}  // namespace muster
