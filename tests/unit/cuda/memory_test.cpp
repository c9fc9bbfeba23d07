// Device memory: whose it is, made, shared, mapped, freed.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "tests/unit/cuda/plugin_table.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class CudaMemory : public CudaPlugin {
 protected:
  // -1: no device's.
  int device_of(const void* pointer) {
    uint32_t is_mine = 0;
    uint32_t device = 0;
    EXPECT_TRUE(FakeHost::take(table_->memory_of(instance_, pointer, &is_mine, &device)).ok());
    return is_mine == 0 ? -1 : static_cast<int>(device);
  }
  void expect_aligned_and_usable(uint64_t bytes) {
    void* const memory = allocate(bytes, 1);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 4096, 0u);
    const std::vector<char> sent(bytes, 'x');
    std::vector<char> received(bytes);
    copy(memory, sent.data(), bytes);
    copy(received.data(), memory, bytes);
    EXPECT_EQ(received, sent);
    table_->free(instance_, 1, memory);
    EXPECT_TRUE(host_.log().empty());
  }
};

TEST_F(CudaMemory, GivenPointersThenItIsKnownWhoseTheyAre) {
  EXPECT_EQ(device_of(&host_), -1);
  void* const memory = allocate(100, 1);
  EXPECT_EQ(device_of(memory), 1);
  EXPECT_EQ(device_of(static_cast<char*>(memory) + 99), 1);
  table_->free(instance_, 1, memory);
  EXPECT_EQ(device_of(memory), -1);
}

TEST_F(CudaMemory, GivenAnySizeThenItIsAlignedAndHoldsWhatIsCopied) {
  for (const uint64_t bytes : {1, 4096, 3'000'000}) expect_aligned_and_usable(bytes);
}

TEST_F(CudaMemory, GivenPagesOfTheHostThenTheyArePinnedUntilTheyAreLetGo) {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto pinned = reinterpret_cast<int (*)()>(dlsym(driver, "simulatedPinned"));
  alignas(4096) static char pages[8192];
  EXPECT_TRUE(FakeHost::take(table_->host_pin(instance_, 1, pages, sizeof(pages))).ok());
  EXPECT_EQ(pinned(), 1);
  table_->host_unpin(instance_, 1, pages);
  EXPECT_EQ(pinned(), 0);
  EXPECT_TRUE(host_.log().empty());
  table_->host_unpin(instance_, 1, pages);
  EXPECT_FALSE(host_.log().empty());
}

TEST_F(CudaMemory, GivenADeviceWithoutVirtualMemoryThenItIsAlignedAndHoldsWhatIsCopied) {
  const Environment plain("SIMULATED_CUDA_VMM", "0");
  for (const uint64_t bytes : {1, 4096, 3'000'000}) expect_aligned_and_usable(bytes);
}

TEST_F(CudaMemory, GivenVirtualMemoryThatIsForbiddenThenThePlainWayIsTaken) {
  const Environment forbidden("SIMULATED_CUDA_FAIL", "cuMemCreate=800");
  expect_aligned_and_usable(4096);
}

TEST_F(CudaMemory, GivenDevicesThatDoNotReachEachOtherThenOnlyTheOwnMayUseIt) {
  const Environment apart("SIMULATED_CUDA_PEER", "0");
  expect_aligned_and_usable(4096);
}

TEST_F(CudaMemory, GivenTooMuchThenTheErrorNamesBytesAndDevice) {
  void* memory = nullptr;
  const Outcome outcome =
      FakeHost::take(table_->allocate(instance_, 1, uint64_t{1} << 50, &memory));
  EXPECT_EQ(outcome.code, MUSTER_RESOURCE_EXHAUSTED);
  EXPECT_THAT(outcome.cause, HasSubstr("of 1125899906842624 bytes on device 1: "
                                       "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"));
}

TEST_F(CudaMemory, GivenADeviceThatIsNotThereThenTheErrorSaysHowManyThereAre) {
  void* memory = nullptr;
  const Outcome outcome = FakeHost::take(table_->allocate(instance_, 7, 1, &memory));
  EXPECT_EQ(outcome.code, MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(outcome.cause, HasSubstr("no CUDA device 7, this process sees 2"));
}

TEST_F(CudaMemory, GivenAStepThatFailsThenNothingIsLeftOfTheStepsBefore) {
  for (const char* const step : {"cuMemMap", "cuMemSetAccess", "cuMemAddressReserve"}) {
    const Environment failing("SIMULATED_CUDA_FAIL", std::string(step) + "=1");
    void* memory = nullptr;
    const Outcome outcome = FakeHost::take(table_->allocate(instance_, 0, 10, &memory));
    EXPECT_THAT(outcome.cause, HasSubstr(std::string(step) + " of 2097152 bytes on device 0: "));
  }
  expect_aligned_and_usable(10);
}

TEST_F(CudaMemory, GivenMemoryThatWasNotAllocatedHereThenFreeingItIsLogged) {
  table_->free(instance_, 0, nullptr);
  EXPECT_TRUE(host_.log().empty());
  table_->free(instance_, 0, &host_);
  EXPECT_THAT(host_.log(), Contains(HasSubstr("that was not allocated here")));
}

// A fixture whose tests run in processes of their own: a process asks cuInit once.
class CudaWithoutDevice : public CudaPlugin {
 protected:
  CudaWithoutDevice() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  ~CudaWithoutDevice() override { ::testing::FLAGS_gtest_death_test_style = "fast"; }
  // 0 if every function fails with the cause.
  int ask_every_function() {
    const Environment none("SIMULATED_CUDA_DEVICES", "0");
    uint32_t count = 0;
    void* memory = nullptr;
    int wrong = 0;
    for (muster_status* const status :
         {table_->device_count(instance_, &count), table_->allocate(instance_, 0, 1, &memory),
          table_->copy(instance_, &memory, &count, 1, nullptr)}) {
      const Outcome outcome = FakeHost::take(status);
      if (outcome.code == MUSTER_UNAVAILABLE &&
          outcome.cause.find("cuInit: CUDA_ERROR_NO_DEVICE") != std::string::npos)
        continue;
      std::cerr << outcome.code << ": " << outcome.cause << '\n';
      ++wrong;
    }
    return wrong;
  }
};

TEST_F(CudaWithoutDevice, GivenAnyFunctionThenItSaysWhy) {
  EXPECT_EXIT(std::exit(ask_every_function()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace muster::testing
