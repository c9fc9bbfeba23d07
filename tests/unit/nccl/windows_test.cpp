// Memory that NCCL knows on all ranks, and what becomes of memory that it cannot know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kRegistered = "\"verdict\": \"registered\",\n      \"reason\": \"with nccl\"";

// Allocates memory of a group and sums in it; gives what the records say.
std::string records_after_allocation(const World& world) {
  std::string records;
  world.run([&](api::Runtime& runtime, uint32_t rank) {
    gpu::Device device(rank);
    api::Group group(runtime, on_devices());
    void* memory = nullptr;
    api::check(muster_mem_alloc(group.get(), 4096, MUSTER_CUDA, &memory));
    const int32_t mine = static_cast<int32_t>(rank) + 1;
    device.copy(memory, &mine, sizeof(mine));
    const api::Options options = on_stream(device);
    api::check(muster_all_reduce(group.get(), memory, memory, 1, MUSTER_I32, MUSTER_SUM, &options));
    int32_t result = 0;
    device.copy(&result, memory, sizeof(result));
    EXPECT_EQ(result, 3);
    api::check(muster_mem_free(group.get(), memory));
    if (rank == 0) records = records_of(runtime);
  });
  return records;
}

TEST(NcclWindows, GivenMemoryOfTheGroupThenItIsRegistered) {
  EXPECT_THAT(records_after_allocation(simulated_world(2, nccl_option("windows", "true"))),
              HasSubstr(kRegistered));
}

TEST(NcclWindows, GivenCommunicatorsThatDoNotBlockThenItIsRegistered) {
  EXPECT_THAT(records_after_allocation(simulated_world(
                  2, nccl_option("windows", "true") + nccl_option("blocking", "false"))),
              HasSubstr(kRegistered));
}

TEST(NcclWindows, GivenADeviceWithoutFileDescriptorsThenItIsNotRegisteredAndCallsGoOn) {
  const Environment plain("SIMULATED_CUDA_VMM", "0");
  EXPECT_THAT(records_after_allocation(simulated_world(2, nccl_option("windows", "true"))),
              HasSubstr("the buffer of rank 0 is not memory with a file descriptor"));
}

TEST(NcclWindows, GivenNoOptionThenItIsNotRegistered) {
  EXPECT_THAT(records_after_allocation(simulated_world(2)), HasSubstr("windows are off"));
}

TEST(NcclWindows, GivenAnOldVersionThenItIsNotRegistered) {
  EXPECT_THAT(records_after_allocation(simulated_world(
                  2, nccl_option("windows", "true") + nccl_option("library", "\"" NCCL_2_18 "\""))),
              HasSubstr("are in NCCL from 2.27 on only"));
}

TEST(NcclWindows, GivenDevicesWithoutSymmetricMemoryThenItIsNotRegistered) {
  const Environment none("SIMULATED_NCCL_SYMMETRIC", "0");
  EXPECT_THAT(records_after_allocation(simulated_world(2, nccl_option("windows", "true"))),
              HasSubstr("NCCL has no symmetric memory among these devices"));
}

TEST(NcclWindows, GivenARegistrationThatFailsThenTheCauseIsRecordedAndCallsGoOn) {
  const Environment failing("SIMULATED_NCCL_FAIL", "ncclCommWindowRegister=4");
  EXPECT_THAT(records_after_allocation(simulated_world(2, nccl_option("windows", "true"))),
              HasSubstr("ncclCommWindowRegister: invalid argument: "));
}

TEST(NcclWindows, GivenABufferOfTheProgramThatIsNotAlignedThenItIsNotRegistered) {
  simulated_world(2, nccl_option("windows", "true")).run([](api::Runtime& runtime, uint32_t rank) {
    gpu::Device device(rank);
    api::Group group(runtime, on_devices());
    void* memory = nullptr;
    api::check(muster_mem_alloc(group.get(), 8192, MUSTER_CUDA, &memory));
    api::Group second(runtime, on_devices("second"));
    second.mem_register(static_cast<char*>(memory) + 8, 4096);
    EXPECT_THAT(records_of(runtime),
                HasSubstr("the buffer of rank 0 is not aligned to 4096 bytes"));
    second.mem_deregister(static_cast<char*>(memory) + 8);
    api::check(muster_mem_free(group.get(), memory));
  });
}

TEST(NcclWindows, GivenNothingSaidThenMulticastIsSwitchedOff) {
  unsetenv("NCCL_NVLS_ENABLE");
  records_after_allocation(simulated_world(2));
  EXPECT_STREQ(getenv("NCCL_NVLS_ENABLE"), "0");
}

TEST(NcclWindows, GivenTheOptionOrTheEnvironmentThenMulticastIsLeftAlone) {
  unsetenv("NCCL_NVLS_ENABLE");
  records_after_allocation(simulated_world(2, nccl_option("nvls", "true")));
  EXPECT_EQ(getenv("NCCL_NVLS_ENABLE"), nullptr);
}

}  // namespace
}  // namespace muster::testing
