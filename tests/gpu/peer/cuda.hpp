// What the tests use of the driver beside what the backend uses: streams, events, graphs, copies,
// and two kernels of their own. Failures end the process with a message.
#ifndef MUSTER_TESTS_GPU_PEER_CUDA_HPP
#define MUSTER_TESTS_GPU_PEER_CUDA_HPP

#include <cstddef>
#include <cstdint>

#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::peer_test {

namespace cu = cuda_peer::cu;
struct EventTag;
using Event = EventTag*;
struct GraphTag;
using Graph = GraphTag*;
struct ExecTag;
using Exec = ExecTag*;

// member, symbol, parameters
#define MUSTER_TEST_CUDA_FUNCTIONS(F)                                                      \
  F(stream_create, "cuStreamCreate", (cu::Stream*, unsigned))                              \
  F(stream_destroy, "cuStreamDestroy_v2", (cu::Stream))                                    \
  F(stream_synchronize, "cuStreamSynchronize", (cu::Stream))                               \
  F(stream_query, "cuStreamQuery", (cu::Stream))                                           \
  F(capture_begin, "cuStreamBeginCapture_v2", (cu::Stream, int))                           \
  F(capture_end, "cuStreamEndCapture", (cu::Stream, Graph*))                               \
  F(instantiate, "cuGraphInstantiateWithFlags", (Exec*, Graph, uint64_t))                  \
  F(graph_upload, "cuGraphUpload", (Exec, cu::Stream))                                     \
  F(graph_launch, "cuGraphLaunch", (Exec, cu::Stream))                                     \
  F(exec_destroy, "cuGraphExecDestroy", (Exec))                                            \
  F(graph_destroy, "cuGraphDestroy", (Graph))                                              \
  F(event_create, "cuEventCreate", (Event*, unsigned))                                     \
  F(event_destroy, "cuEventDestroy_v2", (Event))                                           \
  F(event_record, "cuEventRecord", (Event, cu::Stream))                                    \
  F(event_elapsed, "cuEventElapsedTime_v2", (float*, Event, Event))                        \
  F(copy_in, "cuMemcpyHtoDAsync_v2", (cu::DevicePointer, const void*, size_t, cu::Stream)) \
  F(copy_out, "cuMemcpyDtoHAsync_v2", (void*, cu::DevicePointer, size_t, cu::Stream))      \
  F(fill, "cuMemsetD8Async", (cu::DevicePointer, unsigned char, size_t, cu::Stream))

struct TestDriver {
#define MUSTER_TEST_MEMBER(member, symbol, parameters) cu::Result(*member) parameters = nullptr;
  MUSTER_TEST_CUDA_FUNCTIONS(MUSTER_TEST_MEMBER)
#undef MUSTER_TEST_MEMBER
};
const TestDriver& test_driver();

void must(cu::Result result, const char* what);
#define MUSTER_MUST(call) ::muster::peer_test::must(call, #call)

// Kernels of the tests, for one context.
class TestKernels {
 public:
  TestKernels();
  // Adds to *counter the number of bytes in which two buffers differ.
  void compare(cu::Stream stream, cu::DevicePointer a, cu::DevicePointer b, uint64_t bytes,
               cu::DevicePointer counter) const;
  // Keeps the device busy, so that the host can enqueue what is measured.
  void delay(cu::Stream stream, uint64_t ns) const;

 private:
  cu::Function compare_ = nullptr;
  cu::Function delay_ = nullptr;
};

}  // namespace muster::peer_test

#endif
