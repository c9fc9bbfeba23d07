// Copies, capture state and events on CUDA streams.
//
// A stream of kind NONE stands for a stream of the plugin's own on the device that the memory lies
// on; it is ordered with the legacy default stream, as the program's own blocking streams are, and
// is waited for. Thread rule: any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_CUDA_STREAMS_HPP
#define MUSTER_PLUGINS_BACKENDS_CUDA_STREAMS_HPP

#include <cstdint>
#include <map>
#include <mutex>

#include "muster/device.h"
#include "plugins/backends/cuda/memory.hpp"
#include "plugins/cuda_driver/contexts.hpp"

namespace muster::cuda {

class Streams {
 public:
  Streams(Contexts& contexts, const DeviceMemory& memory)
      : contexts_(contexts), driver_(contexts.driver()), memory_(memory) {}
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // All of these throw Error.
  void copy(void* dst, const void* src, uint64_t bytes, const muster_stream* stream);
  void copy_2d(const Copy2d& what, const muster_stream* stream);
  muster_capture_state capture_state(const muster_stream& stream);
  void synchronize(const muster_stream* stream);

  Event record(const muster_stream& stream);
  bool reached(Event event);
  void wait(const muster_stream& stream, Event event);
  void release(Event event);
  // Microseconds between two events that have been reached.
  double elapsed(Event begin, Event end);

  // For measuring and testing.
  muster_stream create(uint32_t device);
  void destroy(const muster_stream& stream);
  void begin_capture(const muster_stream& stream);
  GraphExec end_capture(const muster_stream& stream);
  void launch(GraphExec graph, const muster_stream& stream);
  void release(GraphExec graph);

 private:
  // Runs body(stream) in the context of the stream, or of the plugin's own, which is then waited
  // for.
  template <typename Body>
  void on(const muster_stream* stream, const void* dst, const void* src, const char* what,
          Body&& body);
  Stream own(uint32_t device);

  Contexts& contexts_;
  const Driver& driver_;
  const DeviceMemory& memory_;
  std::mutex mutex_;
  std::map<uint32_t, Stream> own_;
};

}  // namespace muster::cuda

#endif
