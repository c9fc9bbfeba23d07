#include "tests/simulators/cuda/stream.hpp"

#include <map>
#include <set>

#include "tests/simulators/cuda/state.hpp"

namespace muster::simulators {
namespace {

struct Capture {
  int mode;
  std::thread::id thread;
};

struct Known {
  std::mutex mutex;
  std::set<SimulatedStream*> streams;
  std::map<int, SimulatedStream*> defaults;      // by device
  std::map<SimulatedStream*, Capture> captures;  // under way
};

Known& known() {
  static Known* const known = new Known;
  return *known;
}

thread_local int capture_mode = cuda::kCaptureGlobal;

}  // namespace

SimulatedStream::~SimulatedStream() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SimulatedStream::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !queue_.empty() || ending_; });
    if (queue_.empty()) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    work();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

int SimulatedStream::enqueue(Work work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (capturing_) {
    if (spoilt_) return cuda::kCaptureInvalidated;
    graph_.nodes.push_back(std::move(work));
    return cuda::kSuccess;
  }
  queue_.push_back(std::move(work));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
  return cuda::kSuccess;
}

bool SimulatedStream::idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.empty() && !busy_;
}

int SimulatedStream::synchronize() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (capturing_) {
    spoilt_ = true;
    return cuda::kCaptureUnsupported;
  }
  changed_.wait(lock, [&] { return queue_.empty() && !busy_; });
  return cuda::kSuccess;
}

int SimulatedStream::begin_capture(int mode) {
  const std::lock_guard<std::mutex> all(known().mutex);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (capturing_) return cuda::kInvalidValue;
  capturing_ = true;
  spoilt_ = false;
  graph_.nodes.clear();
  known().captures[this] = {mode, std::this_thread::get_id()};
  return cuda::kSuccess;
}

int SimulatedStream::end_capture(std::unique_ptr<CapturedGraph>& out) {
  const std::lock_guard<std::mutex> all(known().mutex);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!capturing_) return cuda::kInvalidValue;
  capturing_ = false;
  known().captures.erase(this);
  if (spoilt_) return cuda::kCaptureInvalidated;
  out = std::make_unique<CapturedGraph>(std::move(graph_));
  return cuda::kSuccess;
}

int SimulatedStream::capture_status() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!capturing_) return cuda::kCaptureNone;
  return spoilt_ ? cuda::kCaptureBroken : cuda::kCaptureActive;
}

void SimulatedStream::spoil() {
  const std::lock_guard<std::mutex> lock(mutex_);
  spoilt_ = true;
}

SimulatedStream* stream_of(cuda::Stream handle) {
  const std::lock_guard<std::mutex> lock(known().mutex);
  if (reinterpret_cast<uintptr_t>(handle) > 2) {
    auto* const stream = reinterpret_cast<SimulatedStream*>(handle);
    return known().streams.count(stream) == 0 ? nullptr : stream;
  }
  const int device = current_device();
  if (device < 0) return nullptr;
  SimulatedStream*& stream = known().defaults[device];
  if (stream == nullptr) stream = new SimulatedStream(device);
  return stream;
}

void synchronize_device(int device) {
  std::vector<SimulatedStream*> here;
  {
    const std::lock_guard<std::mutex> lock(known().mutex);
    for (SimulatedStream* stream : known().streams) {
      if (stream->device() == device) here.push_back(stream);
    }
    if (known().defaults.count(device) != 0) here.push_back(known().defaults[device]);
  }
  for (SimulatedStream* stream : here) stream->synchronize();
}

bool forbidden_beside_capture() {
  if (capture_mode == cuda::kCaptureRelaxed) return false;
  const std::lock_guard<std::mutex> lock(known().mutex);
  bool forbidden = false;
  for (const auto& [stream, capture] : known().captures) {
    const bool mine = capture.thread == std::this_thread::get_id();
    if (capture.mode == cuda::kCaptureRelaxed) continue;
    if (!mine && (capture.mode != cuda::kCaptureGlobal || capture_mode != cuda::kCaptureGlobal))
      continue;
    stream->spoil();
    forbidden = true;
  }
  return forbidden;
}

}  // namespace muster::simulators

using namespace muster::cuda;
using namespace muster::simulators;

SIMULATED cuThreadExchangeStreamCaptureMode(int* mode) {
  std::swap(*mode, capture_mode);
  return kSuccess;
}

SIMULATED cuStreamCreate(Stream* stream, unsigned) {
  SIMULATED_CONTEXT("cuStreamCreate");
  auto* const made = new SimulatedStream(current_device());
  const std::lock_guard<std::mutex> lock(known().mutex);
  known().streams.insert(made);
  *stream = reinterpret_cast<Stream>(made);
  return kSuccess;
}

SIMULATED cuStreamDestroy_v2(Stream handle) {
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  {
    const std::lock_guard<std::mutex> lock(known().mutex);
    if (known().streams.erase(stream) == 0) return kInvalidHandle;
    known().captures.erase(stream);
  }
  delete stream;
  return kSuccess;
}

SIMULATED cuStreamSynchronize(Stream handle) {
  SIMULATED_FAILURE("cuStreamSynchronize");
  SimulatedStream* const stream = stream_of(handle);
  return stream == nullptr ? kInvalidHandle : stream->synchronize();
}

SIMULATED cuStreamQuery(Stream handle) {
  SIMULATED_FAILURE("cuStreamQuery");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  return stream->idle() ? kSuccess : kNotReady;
}

SIMULATED cuCtxSynchronize() {
  SIMULATED_CONTEXT("cuCtxSynchronize");
  synchronize_device(current_device());
  return kSuccess;
}

SIMULATED cuStreamIsCapturing(Stream handle, int* status) {
  SIMULATED_FAILURE("cuStreamIsCapturing");
  SimulatedStream* const stream = stream_of(handle);
  if (stream == nullptr) return kInvalidHandle;
  *status = stream->capture_status();
  return kSuccess;
}

SIMULATED cuLaunchHostFunc(Stream handle, HostFunction function, void* data) {
  SIMULATED_FAILURE("cuLaunchHostFunc");
  SimulatedStream* const stream = stream_of(handle);
  return stream == nullptr ? kInvalidHandle : stream->enqueue([function, data] { function(data); });
}
