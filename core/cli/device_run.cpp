#include "core/cli/device_run.hpp"

#include <fmt/format.h>

#include "core/base/names.hpp"

namespace muster::cli {
namespace {

// An event while it is needed.
class Event {
 public:
  explicit Event(const Device& device) : device_(device) {}
  ~Event() { device_.table->event_release(device_.instance, event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  Status record(const muster_stream& stream) {
    return Status(device_.table->event_record(device_.instance, &stream, &event_));
  }
  muster_event* get() const { return event_; }

 private:
  const Device& device_;
  muster_event* event_ = nullptr;
};

bool gives_streams(const muster_device& table) {
  return table.stream_create != nullptr && table.stream_destroy != nullptr &&
         table.capture_begin != nullptr && table.capture_end != nullptr &&
         table.graph_launch != nullptr && table.graph_release != nullptr &&
         table.event_elapsed != nullptr && table.event_record != nullptr &&
         table.event_release != nullptr && table.synchronize != nullptr;
}

}  // namespace

Result<std::unique_ptr<DeviceRun>> DeviceRun::open(const Device* known, muster_memory kind,
                                                   uint32_t index) {
  if (known == nullptr) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("no plugin knows {} memory here", memory_name(kind)),
                  "install the plugin that gives muster.device/1 for it; muster list shows them");
  }
  if (!gives_streams(*known->table)) {
    return Status(MUSTER_UNIMPLEMENTED,
                  fmt::format("the plugin of {} memory gives no streams", memory_name(kind)),
                  "update the plugin: streams are a later part of muster.device/1");
  }
  std::unique_ptr<DeviceRun> run(new DeviceRun(*known, index));
  MUSTER_TRY(Status(known->table->stream_create(known->instance, index, &run->stream_)));
  return run;
}

DeviceRun::~DeviceRun() {
  if (stream_.kind != MUSTER_STREAM_NONE) device_.table->stream_destroy(device_.instance, &stream_);
}

Status DeviceRun::allocate(uint64_t bytes, void** out) {
  return Status(device_.table->allocate(device_.instance, index_, bytes, out));
}

void DeviceRun::free(void* pointer) { device_.table->free(device_.instance, index_, pointer); }

Status DeviceRun::copy(void* to, const void* from, uint64_t bytes) {
  static constexpr muster_stream kNone = {MUSTER_STREAM_NONE, 0, 0};
  return bytes == 0 ? Status()
                    : Status(device_.table->copy(device_.instance, to, from, bytes, &kNone));
}

Status DeviceRun::synchronize() {
  return Status(device_.table->synchronize(device_.instance, &stream_));
}

Result<std::unique_ptr<DeviceRun::Graph>> DeviceRun::record(const Enqueue& enqueue) {
  MUSTER_TRY(Status(device_.table->capture_begin(device_.instance, &stream_)));
  Status enqueued = enqueue();
  muster_graph* graph = nullptr;
  Status ended(device_.table->capture_end(device_.instance, &stream_, &graph));
  std::unique_ptr<Graph> made;
  if (graph != nullptr) made = std::make_unique<Graph>(*this, graph);
  if (!enqueued.ok()) return enqueued;
  if (!ended.ok()) return ended;
  return made;
}

Status DeviceRun::launch(muster_graph* graph) {
  return Status(device_.table->graph_launch(device_.instance, graph, &stream_));
}

Result<double> DeviceRun::time(const Enqueue& enqueue) {
  Event begin(device_);
  Event end(device_);
  MUSTER_TRY(begin.record(stream_));
  MUSTER_TRY(enqueue());
  MUSTER_TRY(end.record(stream_));
  MUSTER_TRY(synchronize());
  double us = 0;
  MUSTER_TRY(Status(device_.table->event_elapsed(device_.instance, begin.get(), end.get(), &us)));
  return us;
}

}  // namespace muster::cli
