// The driver's binding: what is missing is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/cuda_driver/devices.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Error failure_of(const std::string& library) {
  try {
    const Driver driver(library);
  } catch (const Error& error) {
    return error;
  }
  return Error(MUSTER_OK, "", "");
}

TEST(CudaDriver, GivenNoLibraryThenNameReasonAndRemedyAreGiven) {
  const Error error = failure_of("/nowhere/libcuda.so.1");
  EXPECT_EQ(error.code(), MUSTER_UNAVAILABLE);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("/nowhere/libcuda.so.1 could not be opened: "),
                                  HasSubstr("No such file")));
  EXPECT_THAT(error.remedy(), HasSubstr("install NVIDIA's driver"));
}

TEST(CudaDriver, GivenALibraryThatIsNotWholeThenEverySymbolThatIsMissingIsNamed) {
  EXPECT_THAT(failure_of(NOT_A_DRIVER).what(),
              AllOf(HasSubstr("lacks cuInit, cuDriverGetVersion"), HasSubstr("cuEventQuery")));
}

TEST(CudaDriver, GivenDevicesThenTheyAreSeenWithoutAContext) {
  const Driver& driver = Driver::initialised();
  const std::vector<SeenDevice> devices = seen_devices(driver);
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[1].uuid, "GPU-abababab-abab-abab-abab-ababababab01");
  EXPECT_EQ(devices[1].name, "Simulated GPU");
  EXPECT_EQ(devices[1].capability, 90u);
  EXPECT_EQ(driver_version_text(driver), "12.4");
  Context context = nullptr;
  EXPECT_EQ(driver.context_current(&context), kSuccess);
  EXPECT_EQ(context, nullptr);
}

TEST(CudaDriver, GivenVisibleDevicesThenOnlyThoseAreSeen) {
  const testing::Environment visible("CUDA_VISIBLE_DEVICES", "1");
  const std::vector<SeenDevice> devices = seen_devices(Driver::initialised());
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_THAT(devices[0].uuid, ::testing::EndsWith("01"));
}

TEST(CudaDriver, GivenAnErrorThatTheDriverDoesNotKnowThenItsNumberIsTold) {
  EXPECT_EQ(Driver::initialised().describe(12345), "CUDA error 12345");
}

}  // namespace
}  // namespace muster::cuda
