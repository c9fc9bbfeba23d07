// The driver's binding as this backend uses it; the simulated driver runs no kernels.
#include "plugins/backends/cuda_peer/driver.hpp"

#include <gmock/gmock.h>

namespace muster::cuda_peer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(PeerDriver, GivenADriverThatRunsNoKernelsThenWhatIsMissingIsNamedAndTheRestServes) {
  const cu::Driver& driver = cu::Driver::initialised();
  EXPECT_GT(driver.count_devices(), 0u);
  try {
    cu::ready_driver();
    FAIL() << "nothing was missing";
  } catch (const cu::Error& error) {
    EXPECT_EQ(error.code(), MUSTER_UNAVAILABLE);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("libcuda.so.1 (of CUDA 12.4) lacks"),
                                    HasSubstr("cuModuleLoadData"), HasSubstr("cuLaunchKernelEx"),
                                    Not(HasSubstr("cuFuncLoad")), Not(HasSubstr("cuMemAlloc"))));
    EXPECT_THAT(error.remedy(), HasSubstr("driver"));
  }
}

}  // namespace
}  // namespace muster::cuda_peer
