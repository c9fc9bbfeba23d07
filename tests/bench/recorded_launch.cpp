#include "tests/bench/recorded_launch.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace muster::bench {

RecordedLaunch::RecordedLaunch(const cuda::Driver& driver, cuda::Stream stream, bool programmatic,
                               const std::function<void()>& call)
    : driver_(driver), launch_(driver.launch) {
  if (driver.graph_nodes == nullptr || driver.kernel_node == nullptr || launch_ == nullptr) {
    throw std::runtime_error("the driver tells nothing of a graph's kernels: CUDA 12 is needed");
  }
  driver.check(driver.capture_begin(stream, cuda::kCaptureThreadLocal), "cuStreamBeginCapture");
  call();
  driver.check(driver.capture_end(stream, &graph_), "cuStreamEndCapture");
  size_t count = 0;
  driver.check(driver.graph_nodes(graph_, nullptr, &count), "cuGraphGetNodes");
  if (count != 1)
    throw std::runtime_error("a call made " + std::to_string(count) + " nodes, not one");
  cuda::GraphNode node = nullptr;
  driver.check(driver.graph_nodes(graph_, &node, &count), "cuGraphGetNodes");
  driver.check(driver.kernel_node(node, &node_), "cuGraphKernelNodeGetParams");
  function_ =
      node_.function != nullptr ? node_.function : static_cast<cuda::Function>(node_.kernel);
  std::copy_n(node_.grid, 3, config_.grid);
  std::copy_n(node_.block, 3, config_.block);
  config_.shared_bytes = node_.shared_bytes;
  config_.stream = stream;
  if (!programmatic) return;
  programmatic_.id = cuda::kProgrammatic;
  programmatic_.value.programmatic = 1;
  config_.attributes = &programmatic_;
  config_.attribute_count = 1;
}

RecordedLaunch::~RecordedLaunch() {
  if (graph_ != nullptr) driver_.graph_destroy(graph_);
}

}  // namespace muster::bench
