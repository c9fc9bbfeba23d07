#include "plugins/backends/cuda/streams.hpp"

#include <string>

namespace muster::cuda {
namespace {

Stream handle_of(const muster_stream& stream) {
  if (stream.kind != MUSTER_STREAM_CUDA) {
    throw Error(MUSTER_INVALID_ARGUMENT,
                "a stream of kind " + std::to_string(stream.kind) + " is no CUDA stream",
                "give kind MUSTER_STREAM_CUDA, or NONE for a copy that is waited for");
  }
  return reinterpret_cast<Stream>(static_cast<uintptr_t>(stream.handle));
}

bool is_none(const muster_stream* stream) {
  return stream == nullptr || stream->kind == MUSTER_STREAM_NONE;
}

}  // namespace

Streams::~Streams() {
  for (const auto& [device, stream] : own_) driver_.stream_destroy(stream);
}

Stream Streams::own(uint32_t device) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = own_.find(device);
  if (found != own_.end()) return found->second;
  Stream stream = nullptr;
  driver_.check(driver_.stream_create(&stream, kStreamDefault), "cuStreamCreate");
  own_[device] = stream;
  return stream;
}

template <typename Body>
void Streams::on(const muster_stream* stream, const void* dst, const void* src, const char* what,
                 Body&& body) {
  if (!is_none(stream)) {
    const Stream handle = handle_of(*stream);
    const Current current(driver_, contexts_.of(stream->device));
    driver_.check(body(handle), what);
    return;
  }
  std::optional<uint32_t> device = memory_.device_of(dst);
  if (!device) device = memory_.device_of(src);
  const uint32_t where = device.value_or(0);
  const Current current(driver_, contexts_.of(where));
  const BesideCapture beside(driver_);
  const Stream handle = own(where);
  driver_.check(body(handle), what);
  driver_.check(driver_.stream_synchronize(handle), what);
}

void Streams::copy(void* dst, const void* src, uint64_t bytes, const muster_stream* stream) {
  if (bytes == 0) return;
  on(stream, dst, src, "cuMemcpyAsync", [&](Stream handle) {
    return driver_.copy_async(device_pointer(dst), device_pointer(src), bytes, handle);
  });
}

void Streams::copy_2d(const Copy2d& what, const muster_stream* stream) {
  if (what.width == 0 || what.height == 0) return;
  on(stream, host_pointer(what.dst_device), host_pointer(what.src_device), "cuMemcpy2DAsync",
     [&](Stream handle) { return driver_.copy_2d_async(&what, handle); });
}

muster_capture_state Streams::capture_state(const muster_stream& stream) {
  if (is_none(&stream)) return MUSTER_NOT_CAPTURING;
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  int status = kCaptureNone;
  driver_.check(driver_.stream_is_capturing(handle, &status), "cuStreamIsCapturing");
  if (status == kCaptureActive) return MUSTER_CAPTURING;
  return status == kCaptureBroken ? MUSTER_CAPTURE_INVALIDATED : MUSTER_NOT_CAPTURING;
}

void Streams::synchronize(const muster_stream* stream) {
  if (is_none(stream)) return;  // what was asked for with such a stream has completed
  const Stream handle = handle_of(*stream);
  const Current current(driver_, contexts_.of(stream->device));
  driver_.check(driver_.stream_synchronize(handle), "cuStreamSynchronize");
}

Event Streams::record(const muster_stream& stream) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  Event event = nullptr;
  driver_.check(driver_.event_create(&event, kEventDefault), "cuEventCreate");
  const Result result = driver_.event_record(event, handle);
  if (result != kSuccess) {
    driver_.event_destroy(event);
    driver_.fail(result, "cuEventRecord");
  }
  return event;
}

bool Streams::reached(Event event) {
  const BesideCapture beside(driver_);
  const Result result = driver_.event_query(event);
  if (result == kNotReady) return false;
  driver_.check(result, "cuEventQuery");
  return true;
}

void Streams::wait(const muster_stream& stream, Event event) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  driver_.check(driver_.stream_wait_event(handle, event, 0), "cuStreamWaitEvent");
}

void Streams::release(Event event) { driver_.event_destroy(event); }

double Streams::elapsed(Event begin, Event end) {
  float ms = 0;
  driver_.check(driver_.event_elapsed(&ms, begin, end), "cuEventElapsedTime");
  return static_cast<double>(ms) * 1000;
}

muster_stream Streams::create(uint32_t device) {
  // Of an older driver.
  if (driver_.capture_begin == nullptr || driver_.capture_end == nullptr ||
      driver_.graph_instantiate == nullptr || driver_.graph_launch == nullptr ||
      driver_.graph_exec_destroy == nullptr || driver_.graph_destroy == nullptr) {
    throw Error(MUSTER_UNIMPLEMENTED, "this CUDA driver captures no graphs", "update the driver");
  }
  const Current current(driver_, contexts_.of(device));
  Stream stream = nullptr;
  driver_.check(driver_.stream_create(&stream, kStreamNonBlocking), "cuStreamCreate");
  return {MUSTER_STREAM_CUDA, device, reinterpret_cast<uintptr_t>(stream)};
}

void Streams::destroy(const muster_stream& stream) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  driver_.check(driver_.stream_synchronize(handle), "cuStreamSynchronize");
  driver_.check(driver_.stream_destroy(handle), "cuStreamDestroy");
}

void Streams::begin_capture(const muster_stream& stream) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  driver_.check(driver_.capture_begin(handle, kCaptureThreadLocal), "cuStreamBeginCapture");
}

GraphExec Streams::end_capture(const muster_stream& stream) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  Graph graph = nullptr;
  driver_.check(driver_.capture_end(handle, &graph), "cuStreamEndCapture");
  GraphExec exec = nullptr;
  const Result result = driver_.graph_instantiate(&exec, graph, 0);
  driver_.graph_destroy(graph);
  driver_.check(result, "cuGraphInstantiate");
  return exec;
}

void Streams::launch(GraphExec graph, const muster_stream& stream) {
  const Stream handle = handle_of(stream);
  const Current current(driver_, contexts_.of(stream.device));
  driver_.check(driver_.graph_launch(graph, handle), "cuGraphLaunch");
}

void Streams::release(GraphExec graph) { driver_.graph_exec_destroy(graph); }

}  // namespace muster::cuda
