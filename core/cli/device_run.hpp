// The device side of one rank of bench, by what the plugin of a memory kind gives
// (muster.device/1): memory, a stream, recorded work, the time between two points of the stream.
//
// One thread. The runtime outlives it.
#ifndef MUSTER_CORE_CLI_DEVICE_RUN_HPP
#define MUSTER_CORE_CLI_DEVICE_RUN_HPP

#include <functional>
#include <memory>

#include "core/base/status.hpp"
#include "core/query/devices.hpp"
#include "muster/muster.h"

namespace muster::cli {

class DeviceRun {
 public:
  // known: by whom the kind is known, NULL: by none, which is UNAVAILABLE; a plugin that gives no
  // streams is UNIMPLEMENTED.
  static Result<std::unique_ptr<DeviceRun>> open(const Device* known, muster_memory kind,
                                                 uint32_t index);
  ~DeviceRun();
  DeviceRun(const DeviceRun&) = delete;
  DeviceRun& operator=(const DeviceRun&) = delete;

  muster_memory memory() const { return device_.table->memory; }
  const muster_stream& stream() const { return stream_; }

  Status allocate(uint64_t bytes, void** out);
  void free(void* pointer);
  // Completed on return; either side may be the host's.
  Status copy(void* to, const void* from, uint64_t bytes);
  Status synchronize();

  // Work that `enqueue` puts into the stream: recorded, not run.
  class Graph {
   public:
    Graph(DeviceRun& run, muster_graph* graph) : run_(run), graph_(graph) {}
    ~Graph() { run_.device_.table->graph_release(run_.device_.instance, graph_); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    Status launch() { return run_.launch(graph_); }

   private:
    DeviceRun& run_;
    muster_graph* graph_;
  };
  using Enqueue = std::function<Status()>;
  Result<std::unique_ptr<Graph>> record(const Enqueue& enqueue);

  // Microseconds of the stream from before to after what `enqueue` puts into it; waits for it.
  Result<double> time(const Enqueue& enqueue);

 private:
  DeviceRun(const Device& device, uint32_t index) : device_(device), index_(index) {}
  Status launch(muster_graph* graph);

  const Device device_;
  const uint32_t index_;
  muster_stream stream_{MUSTER_STREAM_NONE, 0, 0};
};

}  // namespace muster::cli

#endif
