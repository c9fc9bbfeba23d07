#include "core/compose/self_copy.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"
#include "core/base/status.hpp"

namespace muster {
namespace {

bool same_stream(const muster_stream& a, const muster_stream& b) {
  return a.kind == b.kind && a.device == b.device && a.handle == b.handle;
}

// What is enqueued to `later` from here on comes after what has been enqueued to `earlier`.
muster_status* order(const Device& device, const muster_stream& earlier,
                     const muster_stream& later) {
  // Without a stream a copy has been waited for; with one it waits for nobody else's streams.
  if (same_stream(earlier, later) || earlier.kind == MUSTER_STREAM_NONE) return nullptr;
  const muster_device& table = *device.table;
  if (later.kind == MUSTER_STREAM_NONE) return table.synchronize(device.instance, &earlier);
  muster_event* event = nullptr;
  if (muster_status* status = table.event_record(device.instance, &earlier, &event)) return status;
  muster_status* const status = table.event_wait(device.instance, &later, event);
  table.event_release(device.instance, event);
  return status;
}

}  // namespace

SelfCopy::SelfCopy(const Devices* devices, muster_memory memory, const muster_stream& stream)
    : stream_(stream) {
  if (memory != MUSTER_HOST && devices != nullptr) device_ = devices->find(memory);
}

muster_status* SelfCopy::operator()(void* to, const void* from, uint64_t bytes) const {
  if (bytes == 0 || to == from) return nullptr;
  if (device_ != nullptr) return device_->table->copy(device_->instance, to, from, bytes, &stream_);
  std::memmove(to, from, bytes);
  return nullptr;
}

muster_status* SelfCopy::between(const Devices* devices, const muster_call& send,
                                 const muster_call& recv, uint64_t bytes) {
  const muster_memory memory =
      recv.recv_memory != MUSTER_HOST ? recv.recv_memory : send.send_memory;
  const SelfCopy copy(devices, memory, recv.stream);
  if (copy.device_ == nullptr) return copy(recv.recv, send.send, bytes);
  const muster_device& table = *copy.device_->table;
  if (!same_stream(send.stream, recv.stream) &&
      (table.event_record == nullptr || table.event_wait == nullptr ||
       table.event_release == nullptr || table.synchronize == nullptr)) {
    return Status(MUSTER_UNIMPLEMENTED,
                  fmt::format("a message between two streams: the plugin of {} memory gives no "
                              "events",
                              memory_name(memory)),
                  "give both calls of the batch the same stream, or update the plugin")
        .release();
  }
  if (muster_status* status = order(*copy.device_, send.stream, recv.stream)) return status;
  if (muster_status* status = copy(recv.recv, send.send, bytes)) return status;
  return order(*copy.device_, recv.stream, send.stream);
}

}  // namespace muster
