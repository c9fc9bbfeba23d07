// A simulated stream: a queue of work and a thread that carries it out in order, or a graph that is
// being captured.
//
// Streams differ from the driver's in one respect: the legacy default stream is not ordered with
// the others.
#ifndef MUSTER_TESTS_SIMULATORS_CUDA_STREAM_HPP
#define MUSTER_TESTS_SIMULATORS_CUDA_STREAM_HPP

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "plugins/cuda_driver/api.hpp"

namespace muster::simulators {

using Work = std::function<void()>;

struct CapturedGraph {
  std::vector<Work> nodes;
};

class SimulatedStream {
 public:
  explicit SimulatedStream(int device) : device_(device) {}
  ~SimulatedStream();
  SimulatedStream(const SimulatedStream&) = delete;
  SimulatedStream& operator=(const SimulatedStream&) = delete;

  int device() const { return device_; }
  // Appends work, to the graph when one is being captured.
  int enqueue(Work work);
  bool idle();
  int synchronize();

  int begin_capture(int mode);
  int end_capture(std::unique_ptr<CapturedGraph>& out);
  int capture_status();
  // Ends a capture as a failure; its graph is never given out.
  void spoil();

 private:
  void run();

  const int device_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool busy_ = false;
  bool ending_ = false;
  bool capturing_ = false;
  bool spoilt_ = false;
  CapturedGraph graph_;
  std::thread thread_;  // started by the first work
};

// The stream of a handle; NULL, 1 and 2 are the default stream of the current context. nullptr: no
// such stream.
SimulatedStream* stream_of(cuda::Stream handle);
// Waits for all streams of a device.
void synchronize_device(int device);

}  // namespace muster::simulators

#endif
