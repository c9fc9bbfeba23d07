// The plugin "cuda": muster.device/1 for CUDA memory and streams; no backend.
//
// It can be opened on any machine; its functions say what is missing where the driver or a device
// is.
#include "muster/plugin.hpp"

#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "muster/device.h"
#include "plugins/backends/cuda/memory.hpp"
#include "plugins/backends/cuda/streams.hpp"
#include "plugins/cuda_driver/raise.hpp"

namespace muster::cuda {
namespace {

// What exists once the driver has been found.
struct Device {
  explicit Device(const Driver& driver)
      : contexts(driver), memory(contexts), streams(contexts, memory) {}
  Contexts contexts;
  DeviceMemory memory;
  Streams streams;
};

class Instance {
 public:
  explicit Instance(const muster_host* host) : host_(host) {}
  const muster_host* host() const { return host_; }
  Device& device() {
    const Driver& driver = Driver::initialised();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (device_ == nullptr) device_ = std::make_unique<Device>(driver);
    return *device_;
  }

 private:
  const muster_host* host_;
  std::mutex mutex_;
  std::unique_ptr<Device> device_;
};

Instance* of(muster_instance* instance) { return reinterpret_cast<Instance*>(instance); }
Event event_of(muster_event* event) { return reinterpret_cast<Event>(event); }

template <typename Body>
muster_status* guarded(muster_instance* instance, Body&& body) noexcept {
  return plugin::guard(of(instance)->host(),
                       [&] { raising([&] { body(of(instance)->device()); }); });
}

// What has no way to report a failure logs it.
template <typename Body>
void logged(muster_instance* instance, Body&& body) noexcept {
  muster_status* const status = guarded(instance, std::forward<Body>(body));
  if (status == nullptr) return;
  const muster_host* const host = of(instance)->host();
  host->log(host, MUSTER_LOG_WARN, host->status_cause(status));
  host->status_release(status);
}

muster_status* device_count(muster_instance* instance, uint32_t* out) noexcept {
  return plugin::guard(of(instance)->host(),
                       [&] { raising([&] { *out = Driver::initialised().count_devices(); }); });
}

muster_status* memory_of(muster_instance* instance, const void* pointer, uint32_t* is_mine,
                         uint32_t* device) noexcept {
  return guarded(instance, [&](Device& cuda) {
    const std::optional<uint32_t> found = cuda.memory.device_of(pointer);
    *is_mine = found.has_value() ? 1 : 0;
    if (found) *device = *found;
  });
}

muster_status* allocate(muster_instance* instance, uint32_t device, uint64_t bytes,
                        void** out) noexcept {
  return guarded(instance, [&](Device& cuda) { *out = cuda.memory.allocate(device, bytes); });
}

void free_memory(muster_instance* instance, uint32_t device, void* pointer) noexcept {
  if (pointer == nullptr) return;
  logged(instance, [&](Device& cuda) { cuda.memory.free(device, pointer); });
}

muster_status* copy(muster_instance* instance, void* dst, const void* src, uint64_t bytes,
                    const muster_stream* stream) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.streams.copy(dst, src, bytes, stream); });
}

muster_status* copy_2d(muster_instance* instance, void* dst, uint64_t dst_stride, const void* src,
                       uint64_t src_stride, uint64_t row_bytes, uint64_t rows,
                       const muster_stream* stream) noexcept {
  return guarded(instance, [&](Device& cuda) {
    Copy2d what{};
    // The driver finds out which of the two is whose.
    what.src_type = what.dst_type = kTypeUnified;
    what.src_device = device_pointer(src);
    what.dst_device = device_pointer(dst);
    what.src_pitch = src_stride;
    what.dst_pitch = dst_stride;
    what.width = row_bytes;
    what.height = rows;
    cuda.streams.copy_2d(what, stream);
  });
}

muster_status* capture_state(muster_instance* instance, const muster_stream* stream,
                             muster_capture_state* out) noexcept {
  return guarded(instance, [&](Device& cuda) { *out = cuda.streams.capture_state(*stream); });
}

muster_status* synchronize(muster_instance* instance, const muster_stream* stream) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.streams.synchronize(stream); });
}

muster_status* event_record(muster_instance* instance, const muster_stream* stream,
                            muster_event** out) noexcept {
  return guarded(instance, [&](Device& cuda) {
    *out = reinterpret_cast<muster_event*>(cuda.streams.record(*stream));
  });
}

muster_status* event_test(muster_instance* instance, muster_event* event, uint32_t* done) noexcept {
  return guarded(instance,
                 [&](Device& cuda) { *done = cuda.streams.reached(event_of(event)) ? 1 : 0; });
}

muster_status* event_wait(muster_instance* instance, const muster_stream* stream,
                          muster_event* event) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.streams.wait(*stream, event_of(event)); });
}

void event_release(muster_instance* instance, muster_event* event) noexcept {
  if (event != nullptr) of(instance)->device().streams.release(event_of(event));
}

muster_status* stream_create(muster_instance* instance, uint32_t device,
                             muster_stream* out) noexcept {
  return guarded(instance, [&](Device& cuda) { *out = cuda.streams.create(device); });
}

void stream_destroy(muster_instance* instance, const muster_stream* stream) noexcept {
  logged(instance, [&](Device& cuda) { cuda.streams.destroy(*stream); });
}

muster_status* capture_begin(muster_instance* instance, const muster_stream* stream) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.streams.begin_capture(*stream); });
}

muster_status* capture_end(muster_instance* instance, const muster_stream* stream,
                           muster_graph** out) noexcept {
  return guarded(instance, [&](Device& cuda) {
    *out = reinterpret_cast<muster_graph*>(cuda.streams.end_capture(*stream));
  });
}

GraphExec graph_of(muster_graph* graph) { return reinterpret_cast<GraphExec>(graph); }

muster_status* graph_launch(muster_instance* instance, muster_graph* graph,
                            const muster_stream* stream) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.streams.launch(graph_of(graph), *stream); });
}

void graph_release(muster_instance* instance, muster_graph* graph) noexcept {
  if (graph != nullptr) of(instance)->device().streams.release(graph_of(graph));
}

muster_status* event_elapsed(muster_instance* instance, muster_event* begin, muster_event* end,
                             double* out_us) noexcept {
  return guarded(instance, [&](Device& cuda) {
    *out_us = cuda.streams.elapsed(event_of(begin), event_of(end));
  });
}

muster_status* host_pin(muster_instance* instance, uint32_t device, void* pointer,
                        uint64_t bytes) noexcept {
  return guarded(instance, [&](Device& cuda) { cuda.memory.pin(device, pointer, bytes); });
}

void host_unpin(muster_instance* instance, uint32_t device, void* pointer) noexcept {
  logged(instance, [&](Device& cuda) { cuda.memory.unpin(device, pointer); });
}

constexpr muster_device kTable = {MUSTER_DEVICE_SIZE,
                                  MUSTER_CUDA,
                                  MUSTER_STREAM_CUDA,
                                  0,
                                  device_count,
                                  memory_of,
                                  allocate,
                                  free_memory,
                                  copy,
                                  copy_2d,
                                  capture_state,
                                  synchronize,
                                  event_record,
                                  event_test,
                                  event_wait,
                                  event_release,
                                  stream_create,
                                  stream_destroy,
                                  capture_begin,
                                  capture_end,
                                  graph_launch,
                                  graph_release,
                                  event_elapsed,
                                  host_pin,
                                  host_unpin};

muster_status* open(const muster_host* host, muster_instance** out) noexcept {
  return plugin::guard(host,
                       [&] { *out = reinterpret_cast<muster_instance*>(new Instance(host)); });
}

void close(muster_instance* instance) noexcept { delete of(instance); }

const void* get_interface(muster_instance*, const char* name) noexcept {
  return std::strcmp(name, MUSTER_DEVICE_INTERFACE) == 0 ? &kTable : nullptr;
}

}  // namespace
}  // namespace muster::cuda

extern "C" {
extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
}
const muster_entry muster_plugin_entry = {MUSTER_PLUGIN_HEAD,
                                          "cuda",
                                          MUSTER_VERSION,
                                          "muster",
                                          MUSTER_BUILD_TAG,
                                          MUSTER_DEVICE_INTERFACE,
                                          "CUDA_VISIBLE_DEVICES",
                                          "/dev/nvidiactl",
                                          muster::cuda::open,
                                          muster::cuda::close,
                                          muster::cuda::get_interface};
