// Capture, graphs, and events.
#include <atomic>
#include <chrono>

#include "tests/simulators/cuda/state.hpp"
#include "tests/simulators/cuda/stream.hpp"

using namespace muster::cuda;
using namespace muster::simulators;

namespace {

// One recording of an event.
struct Marker {
  std::mutex mutex;
  std::condition_variable changed;
  bool reached = false;
  std::chrono::steady_clock::time_point when;

  void reach() {
    const std::lock_guard<std::mutex> lock(mutex);
    reached = true;
    when = std::chrono::steady_clock::now();
    changed.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return reached; });
  }
};

struct SimulatedEvent {
  bool timed = true;
  std::mutex mutex;
  std::shared_ptr<Marker> marker;  // of the last recording

  std::shared_ptr<Marker> last() {
    const std::lock_guard<std::mutex> lock(mutex);
    return marker;
  }
};

SimulatedEvent* event_of(Event event) { return reinterpret_cast<SimulatedEvent*>(event); }
CapturedGraph* graph_of(void* graph) { return static_cast<CapturedGraph*>(graph); }

}  // namespace

SIMULATED cuStreamBeginCapture_v2(Stream handle, int mode) {
  SIMULATED_FAILURE("cuStreamBeginCapture");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr || reinterpret_cast<uintptr_t>(handle) <= 1) return kInvalidHandle;
  return stream->begin_capture(mode);
}

SIMULATED cuStreamEndCapture(Stream handle, Graph* graph) {
  SIMULATED_FAILURE("cuStreamEndCapture");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  std::unique_ptr<CapturedGraph> captured;
  const int result = stream->end_capture(captured);
  *graph = reinterpret_cast<Graph>(captured.release());
  return result;
}

SIMULATED cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  SIMULATED_FAILURE("cuGraphInstantiate");
  *exec = reinterpret_cast<GraphExec>(new CapturedGraph(*graph_of(graph)));
  return kSuccess;
}

SIMULATED cuGraphLaunch(GraphExec exec, Stream handle) {
  SIMULATED_FAILURE("cuGraphLaunch");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  for (const Work& node : graph_of(exec)->nodes) {
    if (const int result = stream->enqueue(node)) return result;
  }
  return kSuccess;
}

SIMULATED cuGraphExecDestroy(GraphExec exec) {
  delete graph_of(exec);
  return kSuccess;
}

SIMULATED cuGraphDestroy(Graph graph) {
  delete graph_of(graph);
  return kSuccess;
}

SIMULATED cuEventCreate(Event* event, unsigned flags) {
  SIMULATED_CONTEXT("cuEventCreate");
  auto* const made = new SimulatedEvent;
  made->timed = (flags & kEventDisableTiming) == 0;
  *event = reinterpret_cast<Event>(made);
  return kSuccess;
}

SIMULATED cuEventDestroy_v2(Event event) {
  delete event_of(event);
  return kSuccess;
}

SIMULATED cuEventRecord(Event event, Stream handle) {
  SIMULATED_FAILURE("cuEventRecord");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  auto marker = std::make_shared<Marker>();
  {
    const std::lock_guard<std::mutex> lock(event_of(event)->mutex);
    event_of(event)->marker = marker;
  }
  return stream->enqueue([marker] { marker->reach(); });
}

SIMULATED cuEventQuery(Event event) {
  SIMULATED_FAILURE("cuEventQuery");
  if (forbidden_beside_capture()) return kCaptureUnsupported;
  const std::shared_ptr<Marker> marker = event_of(event)->last();
  if (marker == nullptr) return kSuccess;
  const std::lock_guard<std::mutex> lock(marker->mutex);
  return marker->reached ? kSuccess : kNotReady;
}

SIMULATED cuEventElapsedTime(float* ms, Event begin, Event end) {
  SIMULATED_FAILURE("cuEventElapsedTime");
  const std::shared_ptr<Marker> from = event_of(begin)->last();
  const std::shared_ptr<Marker> to = event_of(end)->last();
  if (from == nullptr || to == nullptr || !event_of(begin)->timed || !event_of(end)->timed)
    return kInvalidHandle;
  const std::scoped_lock lock(from->mutex, to->mutex);
  if (!from->reached || !to->reached) return kNotReady;
  *ms = std::chrono::duration<float, std::milli>(to->when - from->when).count();
  return kSuccess;
}

SIMULATED cuStreamWaitEvent(Stream handle, Event event, unsigned) {
  SIMULATED_FAILURE("cuStreamWaitEvent");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  const std::shared_ptr<Marker> marker = event_of(event)->last();
  if (marker == nullptr) return kSuccess;
  return stream->enqueue([marker] { marker->wait(); });
}
