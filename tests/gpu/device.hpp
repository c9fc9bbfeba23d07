// One rank's device as a test uses it: a context, a stream, memory, and copies that are waited for.
//
// Through the driver's binding that muster's plugins use, so that a test is built without CUDA.
// Thread rule: one thread. Everything throws muster::cuda::Error.
#ifndef MUSTER_TESTS_GPU_DEVICE_HPP
#define MUSTER_TESTS_GPU_DEVICE_HPP

#include <cstdint>
#include <functional>

#include "muster/types.h"
#include "plugins/cuda_driver/contexts.hpp"

namespace muster::gpu {

class Device {
 public:
  explicit Device(uint32_t index);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const cuda::Driver& driver() const { return driver_; }
  uint32_t index() const { return index_; }
  muster_stream stream() const;

  void* allocate(uint64_t bytes);
  void free(void* pointer);
  // In stream order, and waited for.
  void copy(void* dst, const void* src, uint64_t bytes);
  void synchronize();

  // What `body` enqueues on the stream becomes a graph. A body that throws leaves no capture
  // behind.
  class Graph {
   public:
    Graph(Device& device, const std::function<void()>& body);
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    void launch();

   private:
    Device& device_;
    cuda::GraphExec exec_ = nullptr;
  };

 private:
  const cuda::Driver& driver_;
  const uint32_t index_;
  cuda::Contexts contexts_;
  cuda::Current current_;
  cuda::Stream stream_ = nullptr;
};

}  // namespace muster::gpu

#endif
