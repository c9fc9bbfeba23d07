// Copies, capture state, events.
#include <gmock/gmock.h>

#include <array>

#include "tests/unit/cuda/plugin_table.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CudaStreams : public CudaPlugin {
 protected:
  void expect_ok(muster_status* status) {
    const Outcome outcome = FakeHost::take(status);
    EXPECT_TRUE(outcome.ok()) << outcome.cause;
  }
  muster_capture_state state() {
    muster_capture_state state = 99;
    const muster_stream stream = device_.stream();
    expect_ok(table_->capture_state(instance_, &stream, &state));
    return state;
  }
  gpu::Device device_{0};
};

TEST_F(CudaStreams, GivenAStreamThenCopiesAreDoneWhenItIsSynchronised) {
  const muster_stream stream = device_.stream();
  auto* const there = static_cast<int*>(allocate(8));
  const std::array<int, 2> sent = {3, 4};
  std::array<int, 2> received = {};
  expect_ok(table_->copy(instance_, there, sent.data(), 8, &stream));
  expect_ok(table_->copy(instance_, received.data(), there, 8, &stream));
  expect_ok(table_->synchronize(instance_, &stream));
  EXPECT_EQ(received, sent);
  table_->free(instance_, 0, there);
}

TEST_F(CudaStreams, GivenRowsThenTheyAreCopiedByTheirStrides) {
  auto* const there = static_cast<char*>(allocate(6));
  copy(there, "......", 6);
  const char rows[] = "abXcdX";
  expect_ok(table_->copy_2d(instance_, there, 2, rows, 3, 2, 2, nullptr));
  std::array<char, 6> received = {};
  copy(received.data(), there, 6);
  EXPECT_THAT(received, ElementsAre('a', 'b', 'c', 'd', '.', '.'));
  expect_ok(table_->copy_2d(instance_, there, 2, rows, 3, 2, 0, nullptr));
  table_->free(instance_, 0, there);
}

TEST_F(CudaStreams, GivenACaptureThenItsStateIsKnown) {
  EXPECT_EQ(state(), MUSTER_NOT_CAPTURING);
  const muster_stream none{};
  muster_capture_state of_none = 99;
  expect_ok(table_->capture_state(instance_, &none, &of_none));
  EXPECT_EQ(of_none, MUSTER_NOT_CAPTURING);
  EXPECT_THROW(gpu::Device::Graph(device_,
                                  [&] {
                                    EXPECT_EQ(state(), MUSTER_CAPTURING);
                                    EXPECT_THROW(device_.synchronize(), cuda::Error);
                                    EXPECT_EQ(state(), MUSTER_CAPTURE_INVALIDATED);
                                  }),
               cuda::Error);
  EXPECT_EQ(state(), MUSTER_NOT_CAPTURING);
}

TEST_F(CudaStreams, GivenACaptureElsewhereThenMemoryAndCopiesDoNotDisturbIt) {
  const muster_stream stream = device_.stream();
  auto* const there = static_cast<int*>(allocate(4));
  const int sent = 12;
  void* other = nullptr;
  gpu::Device::Graph graph(device_, [&] {
    expect_ok(table_->copy(instance_, there, &sent, 4, &stream));
    other = allocate(4);
    const int zero = 0;
    copy(other, &zero, 4);
  });
  graph.launch();
  device_.synchronize();
  int received = 0;
  copy(&received, there, 4);
  EXPECT_EQ(received, sent);
  table_->free(instance_, 0, other);
  table_->free(instance_, 0, there);
}

TEST_F(CudaStreams, GivenAnEventThenOtherStreamsWaitForIt) {
  gpu::Device other(1);
  const muster_stream first = device_.stream();
  const muster_stream second = other.stream();
  muster_event* event = nullptr;
  expect_ok(table_->event_record(instance_, &first, &event));
  expect_ok(table_->event_wait(instance_, &second, event));
  device_.synchronize();
  other.synchronize();
  uint32_t done = 0;
  expect_ok(table_->event_test(instance_, event, &done));
  EXPECT_EQ(done, 1u);
  table_->event_release(instance_, event);
  table_->event_release(instance_, nullptr);
}

TEST_F(CudaStreams, GivenAStreamOfThePluginThenWhatIsRecordedRunsAtEachLaunch) {
  muster_stream stream{};
  ASSERT_TRUE(FakeHost::take(table_->stream_create(instance_, 0, &stream)).ok());
  int* const memory = static_cast<int*>(allocate(sizeof(int)));
  int from = 1;
  ASSERT_TRUE(FakeHost::take(table_->capture_begin(instance_, &stream)).ok());
  ASSERT_TRUE(FakeHost::take(table_->copy(instance_, memory, &from, sizeof(from), &stream)).ok());
  muster_graph* graph = nullptr;
  ASSERT_TRUE(FakeHost::take(table_->capture_end(instance_, &stream, &graph)).ok());
  const auto read = [&] {
    int to = 0;
    copy(&to, memory, sizeof(to));
    return to;
  };
  int zero = 0;
  copy(memory, &zero, sizeof(zero));
  EXPECT_EQ(read(), 0);  // nothing ran while it was recorded
  for (from = 5; from < 7; ++from) {
    muster_event* begin = nullptr;
    muster_event* end = nullptr;
    ASSERT_TRUE(FakeHost::take(table_->event_record(instance_, &stream, &begin)).ok());
    ASSERT_TRUE(FakeHost::take(table_->graph_launch(instance_, graph, &stream)).ok());
    ASSERT_TRUE(FakeHost::take(table_->event_record(instance_, &stream, &end)).ok());
    ASSERT_TRUE(FakeHost::take(table_->synchronize(instance_, &stream)).ok());
    double us = -1;
    ASSERT_TRUE(FakeHost::take(table_->event_elapsed(instance_, begin, end, &us)).ok());
    EXPECT_GT(us, 0);
    EXPECT_EQ(read(), from);
    table_->event_release(instance_, begin);
    table_->event_release(instance_, end);
  }
  table_->graph_release(instance_, graph);
  table_->stream_destroy(instance_, &stream);
  table_->free(instance_, 0, memory);
}

TEST_F(CudaStreams, GivenAStreamOfAnotherKindThenItIsRefused) {
  const muster_stream wrong{MUSTER_STREAM_HIP, 0, 0};
  int value = 0;
  const Outcome outcome = FakeHost::take(table_->copy(instance_, &value, &value, 4, &wrong));
  EXPECT_EQ(outcome.code, MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(outcome.cause, HasSubstr("is no CUDA stream"));
}

TEST_F(CudaStreams, GivenACopyThatFailsThenTheDriversWordsAreTold) {
  const Environment failing("SIMULATED_CUDA_FAIL", "cuMemcpyAsync=700");
  int value = 0;
  const Outcome outcome = FakeHost::take(table_->copy(instance_, &value, &value, 4, nullptr));
  EXPECT_EQ(outcome.code, MUSTER_INTERNAL);
  EXPECT_THAT(outcome.cause, HasSubstr("cuMemcpyAsync: CUDA_ERROR_ILLEGAL_ADDRESS"));
  EXPECT_THAT(outcome.remedy, HasSubstr("compute-sanitizer"));
}

}  // namespace
}  // namespace muster::testing
