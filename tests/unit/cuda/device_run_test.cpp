// The device side of `muster bench`, over the plugin of the build tree and the simulated driver.
#include "core/cli/device_run.hpp"

#include <gmock/gmock.h>

#include "tests/unit/cuda/plugin_table.hpp"

namespace muster::testing {
namespace {

using cli::DeviceRun;
using ::testing::HasSubstr;

class CudaDeviceRun : public CudaPlugin {
 protected:
  std::unique_ptr<DeviceRun> open() {
    const Device known{instance_, table_};
    auto run = DeviceRun::open(&known, MUSTER_CUDA, 0);
    EXPECT_TRUE(run.ok()) << run.status().message();
    return run.ok() ? std::move(*run) : nullptr;
  }
  // Enqueues a copy of *from into memory.
  DeviceRun::Enqueue copying(DeviceRun& run, void* memory, const int* from) {
    return [&run, memory, from, this] {
      return Status(table_->copy(instance_, memory, from, sizeof(*from), &run.stream()));
    };
  }
  static int read(DeviceRun& run, const void* memory) {
    int value = 0;
    EXPECT_TRUE(run.copy(&value, memory, sizeof(value)).ok());
    return value;
  }
};

TEST_F(CudaDeviceRun, GivenEnqueuedWorkThenItIsDoneAndItsTimeIsTold) {
  const auto run = open();
  void* memory = nullptr;
  ASSERT_TRUE(run->allocate(sizeof(int), &memory).ok());
  const int value = 7;
  const Result<double> us = run->time(copying(*run, memory, &value));
  ASSERT_TRUE(us.ok()) << us.status().message();
  EXPECT_GT(*us, 0);
  EXPECT_EQ(read(*run, memory), 7);
  run->free(memory);
}

TEST_F(CudaDeviceRun, GivenRecordedWorkThenItRunsAtEachLaunchAndNotBefore) {
  const auto run = open();
  void* memory = nullptr;
  ASSERT_TRUE(run->allocate(sizeof(int), &memory).ok());
  int value = 0;
  ASSERT_TRUE(run->copy(memory, &value, sizeof(value)).ok());
  value = 1;
  auto graph = run->record(copying(*run, memory, &value));
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(read(*run, memory), 0);
  for (value = 2; value < 4; ++value) {
    ASSERT_TRUE((*graph)->launch().ok());
    ASSERT_TRUE(run->synchronize().ok());
    EXPECT_EQ(read(*run, memory), value);
  }
  run->free(memory);
}

TEST_F(CudaDeviceRun, GivenWorkThatFailsWhileItIsRecordedThenItsFailureIsToldAndTheStreamGoesOn) {
  const auto run = open();
  void* memory = nullptr;
  ASSERT_TRUE(run->allocate(sizeof(int), &memory).ok());
  auto graph = run->record([] { return Status(MUSTER_ABORTED, "no more of it"); });
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), MUSTER_ABORTED);
  const int value = 5;
  EXPECT_TRUE(run->time(copying(*run, memory, &value)).ok());
  EXPECT_EQ(read(*run, memory), 5);
  run->free(memory);
}

TEST_F(CudaDeviceRun, GivenNoPluginOrOneWithoutStreamsThenThatIsSaid) {
  auto nobody = DeviceRun::open(nullptr, MUSTER_CUDA, 0);
  ASSERT_FALSE(nobody.ok());
  EXPECT_THAT(nobody.status().message(), HasSubstr("no plugin knows cuda memory here"));
  muster_device modest = *table_;
  modest.stream_create = nullptr;
  const Device known{instance_, &modest};
  auto without = DeviceRun::open(&known, MUSTER_CUDA, 0);
  ASSERT_FALSE(without.ok());
  EXPECT_EQ(without.status().code(), MUSTER_UNIMPLEMENTED);
}

}  // namespace
}  // namespace muster::testing
