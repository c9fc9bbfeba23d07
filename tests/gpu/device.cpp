#include "tests/gpu/device.hpp"

namespace muster::gpu {

Device::Device(uint32_t index)
    : driver_(cuda::Driver::initialised()),
      index_(index),
      contexts_(driver_),
      current_(driver_, contexts_.of(index)) {
  driver_.check(driver_.stream_create(&stream_, cuda::kStreamNonBlocking), "cuStreamCreate");
}

Device::~Device() { driver_.stream_destroy(stream_); }

muster_stream Device::stream() const {
  return {MUSTER_STREAM_CUDA, index_, reinterpret_cast<uintptr_t>(stream_)};
}

void* Device::allocate(uint64_t bytes) {
  cuda::DevicePointer pointer = 0;
  driver_.check(driver_.memory_allocate(&pointer, bytes), "cuMemAlloc");
  return cuda::host_pointer(pointer);
}

void Device::free(void* pointer) { driver_.memory_free(cuda::device_pointer(pointer)); }

void Device::copy(void* dst, const void* src, uint64_t bytes) {
  driver_.check(
      driver_.copy_async(cuda::device_pointer(dst), cuda::device_pointer(src), bytes, stream_),
      "cuMemcpyAsync");
  synchronize();
}

void Device::synchronize() {
  driver_.check(driver_.stream_synchronize(stream_), "cuStreamSynchronize");
}

Device::Graph::Graph(Device& device, const std::function<void()>& body) : device_(device) {
  const cuda::Driver& driver = device.driver_;
  driver.check(driver.capture_begin(device.stream_, cuda::kCaptureThreadLocal),
               "cuStreamBeginCapture");
  cuda::Graph graph = nullptr;
  try {
    body();
  } catch (...) {
    driver.capture_end(device.stream_, &graph);
    if (graph != nullptr) driver.graph_destroy(graph);
    throw;
  }
  driver.check(driver.capture_end(device.stream_, &graph), "cuStreamEndCapture");
  const cuda::Result result = driver.graph_instantiate(&exec_, graph, 0);
  driver.graph_destroy(graph);
  driver.check(result, "cuGraphInstantiate");
}

Device::Graph::~Graph() { device_.driver_.graph_exec_destroy(exec_); }

void Device::Graph::launch() {
  device_.driver_.check(device_.driver_.graph_launch(exec_, device_.stream_), "cuGraphLaunch");
}

}  // namespace muster::gpu
