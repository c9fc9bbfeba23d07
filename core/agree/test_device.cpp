#include "core/agree/test_device.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <thread>

#include "core/base/names.hpp"
#include "core/base/wait.hpp"

namespace muster {
namespace {

constexpr uint64_t kAlignment = 256;
constexpr muster_stream kNoStream{MUSTER_STREAM_NONE, 0, 0};

uint64_t room_for(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The place in the copy that a pointer into a buffer stands for.
template <typename T>
T* translated(const Exercise::Buffers& buffers, void* memory, T* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  uint64_t at = 0;
  for (const auto& [data, bytes] : buffers) {
    const uint64_t offset = address - reinterpret_cast<uintptr_t>(data);
    if (bytes != 0 && offset < bytes) {
      return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(memory) + at + offset);
    }
    at += room_for(bytes);
  }
  return nullptr;
}

// The call of an exercise whose buffers lie elsewhere.
struct Moved {
  muster_call call;
  muster_fused_rmsnorm fused{};

  Moved(Exercise& exercise, void* memory) : call(exercise.call()) {
    const Exercise::Buffers buffers = exercise.buffers();
    call.send = translated(buffers, memory, call.send);
    call.recv = translated(buffers, memory, call.recv);
    if (call.fused == nullptr) return;
    fused = *call.fused;
    fused.residual = translated(buffers, memory, fused.residual);
    fused.residual_out = translated(buffers, memory, fused.residual_out);
    fused.weight = translated(buffers, memory, fused.weight);
    fused.scale_out = translated(buffers, memory, fused.scale_out);
    call.fused = &fused;
  }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;
};

bool has_events(const muster_device& table) {
  return table.event_record != nullptr && table.event_test != nullptr &&
         table.event_release != nullptr;
}

bool has_streams(const muster_device& table) {
  return table.stream_create != nullptr && table.stream_destroy != nullptr;
}

}  // namespace

Result<std::unique_ptr<TestDevice>> TestDevice::make(const Device& device, uint32_t index,
                                                     uint64_t bytes) {
  std::unique_ptr<TestDevice> made(new TestDevice(device, index));
  const muster_device& table = *device.table;
  if (!has_events(table))
    return Status(MUSTER_UNIMPLEMENTED, "the plugin of this memory gives no events");
  MUSTER_TRY(
      Status(table.allocate(device.instance, index, std::max<uint64_t>(bytes, 1), &made->memory_)));
  made->own_stream_ = has_streams(table) &&
                      Status(table.stream_create(device.instance, index, &made->stream_)).ok();
  // The default stream, where the plugin or its driver makes none.
  if (!made->own_stream_) made->stream_ = {table.stream_kind, index, 0};
  return made;
}

TestDevice::~TestDevice() {
  if (own_stream_) device_.table->stream_destroy(device_.instance, &stream_);
  device_.table->free(device_.instance, index_, memory_);
}

Status TestDevice::copy_all(std::vector<Item>& items, bool to_device) {
  uint64_t total = 0;
  for (Item& item : items) total += bytes_for(item.exercise);
  if (total == 0) return Status();
  packed_.resize(total);
  const auto copy = [&](void* to, const void* from) {
    return Status(device_.table->copy(device_.instance, to, from, total, &kNoStream));
  };
  if (!to_device) MUSTER_TRY(copy(packed_.data(), memory_));
  uint64_t at = 0;
  for (Item& item : items) {
    for (const auto& [data, bytes] : item.exercise.buffers()) {
      char* const here = packed_.data() + at;
      if (bytes != 0) std::memcpy(to_device ? here : data, to_device ? data : here, bytes);
      at += room_for(bytes);
    }
  }
  return to_device ? copy(memory_, packed_.data()) : Status();
}

Status TestDevice::wait(muster_group& group, const LiveBackend& backend) {
  muster_event* event = nullptr;
  MUSTER_TRY(Status(device_.table->event_record(device_.instance, &stream_, &event)));
  const std::unique_ptr<muster_event, std::function<void(muster_event*)>> released(
      event, [this](muster_event* e) { device_.table->event_release(device_.instance, e); });
  for (uint32_t polls = 0;; ++polls) {
    uint32_t done = 0;
    MUSTER_TRY(Status(device_.table->event_test(device_.instance, event, &done)));
    if (done != 0) break;
    if (now_ns() > group.context.deadline()) {
      if (backend.table->abort != nullptr) backend.table->abort(backend.state);
      return Status(MUSTER_DEADLINE_EXCEEDED,
                    fmt::format("it was not done after {} ms", group.context.timeout_ns / 1000000));
    }
    if (polls < 1000) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  return backend.table->async_error == nullptr ? Status()
                                               : Status(backend.table->async_error(backend.state));
}

Status TestDevice::run(muster_group& group, const LiveBackend& backend, std::vector<Item>& items) {
  // Arrays of a call are the backend's until it is done.
  std::deque<Moved> moved;
  char* at = static_cast<char*>(memory_);
  for (Item& item : items) {
    item.exercise.fill(0);
    moved.emplace_back(item.exercise, at);
    muster_call& call = moved.back().call;
    call.send_memory = call.recv_memory = device_.table->memory;
    call.stream = item.on_stream ? stream_ : kNoStream;
    at += bytes_for(item.exercise);
  }
  // Of what another rank waits for, only the copies may fail, so the calls are made in any case.
  Status copied = copy_all(items, true);
  bool enqueued = false;
  for (size_t i = 0; i < items.size(); ++i) {
    group.context.begin_operation();
    items[i].status = Status(backend.table->execute(backend.state, &moved[i].call));
    enqueued = enqueued || items[i].on_stream;
  }
  if (enqueued) MUSTER_TRY(wait(group, backend));
  MUSTER_TRY(std::move(copied));
  return copy_all(items, false);
}

uint64_t TestDevice::bytes_for(Exercise& exercise) {
  uint64_t total = 0;
  for (const auto& [data, bytes] : exercise.buffers()) total += room_for(bytes);
  return total;
}

}  // namespace muster
