#include "core/query/scratch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

#include "core/base/names.hpp"

namespace muster {
namespace {

// "MUSTER_HOST": what a program writes.
std::string constant_of(muster_memory memory) {
  std::string name = std::string("MUSTER_") + memory_name(memory);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

Result<void*> Scratch::get(User user, muster_memory memory, uint64_t bytes) {
  constexpr uint64_t kPage = 4096;
  if (memory != MUSTER_HOST && (devices_ == nullptr || devices_->find(memory) == nullptr)) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("no scratch memory of kind {}", memory_name(memory)),
                  "install the plugin that gives muster.device/1 for it");
  }
  Buffer& buffer = buffers_[{user, memory}];
  if (buffer.bytes >= bytes) return buffer.memory.get();
  if (!may_grow_) {
    return Status(MUSTER_FAILED_PRECONDITION,
                  fmt::format("{} bytes of scratch are needed in a graph phase, {} are reserved",
                              bytes, buffer.bytes),
                  fmt::format("call muster_group_reserve(group, {}, {}) before muster_graph_begin",
                              constant_of(memory), bytes));
  }
  if (bytes > UINT64_MAX - kPage)
    return Status(MUSTER_OUT_OF_RANGE, "scratch size does not fit in 64 bits");
  const uint64_t rounded = (bytes + kPage - 1) / kPage * kPage;
  Result<Memory> made = allocate(memory, rounded);
  if (!made.ok()) return made.take_status();
  buffer.memory = std::move(*made);
  buffer.bytes = rounded;
  return buffer.memory.get();
}

Result<void*> Scratch::staging(User user, muster_memory device_kind, uint64_t bytes) {
  constexpr uint64_t kUnit = uint64_t{1} << 20;  // pinning takes long: not for every few bytes
  Buffer& buffer = buffers_[{user, MUSTER_HOST}];
  if (buffer.memory != nullptr && buffer.bytes >= bytes) return buffer.memory.get();
  if (bytes > UINT64_MAX - kUnit)
    return Status(MUSTER_OUT_OF_RANGE, "scratch size does not fit in 64 bits");
  const uint64_t rounded = std::max((bytes + kUnit - 1) / kUnit, uint64_t{1}) * kUnit;
  buffer = {};
  Result<Memory> made = allocate(MUSTER_HOST, rounded);
  if (!made.ok()) return made.take_status();
  buffer.memory = pinned(std::move(*made), *devices_->find(device_kind), rounded);
  buffer.bytes = rounded;
  return buffer.memory.get();
}

Scratch::Memory Scratch::pinned(Memory memory, const Device& device, uint64_t bytes) const {
  const muster_device& table = *device.table;
  if (table.host_pin == nullptr || table.host_unpin == nullptr) return memory;
  // Where it fails, for too much is pinned already, say, the copies are slower.
  if (!Status(table.host_pin(device.instance, device_, memory.get(), bytes)).ok()) return memory;
  return Memory(memory.release(), [device, index = device_](void* pointer) {
    device.table->host_unpin(device.instance, index, pointer);
    std::free(pointer);
  });
}

Status Scratch::reserve(User user, muster_memory memory, uint64_t bytes) {
  const bool allowed = may_grow_;
  may_grow_ = true;
  Result<void*> got = get(user, memory, bytes);
  may_grow_ = allowed;
  return got.take_status();
}

Result<Scratch::Memory> Scratch::allocate(muster_memory memory, uint64_t bytes) const {
  if (memory == MUSTER_HOST) {
    void* const host = std::aligned_alloc(4096, bytes);
    if (host != nullptr) return Memory(host, std::free);
    return Status(MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("{} bytes of scratch could not be allocated", bytes));
  }
  const Device device = *devices_->find(memory);
  void* made = nullptr;
  if (Status status(device.table->allocate(device.instance, device_, bytes, &made)); !status.ok()) {
    return status.within(fmt::format("{} bytes of scratch in {} memory of device {}", bytes,
                                     memory_name(memory), device_));
  }
  return Memory(made, [device, index = device_](void* pointer) {
    device.table->free(device.instance, index, pointer);
  });
}

}  // namespace muster
