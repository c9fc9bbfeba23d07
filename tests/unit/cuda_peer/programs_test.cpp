// The kernels' sources and the keys of what they are compiled to.
#include "plugins/backends/cuda_peer/programs.hpp"

#include <gtest/gtest.h>

#include <set>

#include "plugins/backends/cuda_peer/device_sources.hpp"
#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {
namespace {

TEST(Programs, GivenAnyTwoProgramsThenTheirKeysDiffer) {
  std::set<std::string> names;
  std::set<std::string> digests;
  size_t count = 0;
  for (unsigned ranks = 2; ranks <= 8; ++ranks) {
    for (const char* const architecture : {"sm_80", "sm_90"}) {
      for (const ProgramKey& key : programs_of(ranks, architecture)) {
        for (const char* const version : {"12.8", "13.0"}) {
          const CubinKey cubin = cubin_key(key, version);
          names.insert(cubin.file_name());
          digests.insert(cubin.digest);
          ++count;
        }
      }
    }
  }
  EXPECT_EQ(names.size(), count);
  EXPECT_EQ(digests.size(), count);
}

TEST(Programs, GivenTheSameProgramThenItsKeyIsTheSame) {
  const ProgramKey key{MUSTER_BF16, 2, "sm_90"};
  EXPECT_EQ(cubin_key(key, "13.0").file_name(), cubin_key(key, "13.0").file_name());
}

// Every kernel of every group size; of large groups one element type.
TEST(Programs, GivenNvrtcThenEveryProgramCompilesAndHasItsKernels) {
  if (!Nvrtc::get().missing().empty()) GTEST_SKIP() << Nvrtc::get().missing();
  for (const unsigned ranks : {2u, 8u}) {
    for (const ProgramKey& key : programs_of(ranks, "sm_90")) {
      if (ranks == 8 && key.dtype != MUSTER_DTYPE_NONE && key.dtype != MUSTER_BF16) continue;
      const Compiled compiled = compile_program(key);
      ASSERT_FALSE(compiled.cubin.empty()) << compiled.log;
      for (unsigned k = 0; k < kKernels; ++k) {
        const auto kernel = static_cast<Kernel>(k);
        const bool here = is_move(kernel) == (key.dtype == MUSTER_DTYPE_NONE);
        const std::string symbol = std::string(".text.") + kernel_symbol(kernel) + '\0';
        EXPECT_EQ(compiled.cubin.find(symbol) != std::string::npos, here) << symbol;
      }
    }
  }
}

TEST(Programs, GivenAnOlderArchitectureThenTheProgramsCompileToo) {
  if (!Nvrtc::get().missing().empty()) GTEST_SKIP() << Nvrtc::get().missing();
  for (const muster_dtype dtype : {MUSTER_DTYPE_NONE, MUSTER_BF16}) {
    const Compiled compiled = compile_program({dtype, 2, "sm_80"});
    EXPECT_FALSE(compiled.cubin.empty()) << compiled.log;
  }
}

TEST(Programs, GivenAWrongProgramThenTheLogSaysWhere) {
  if (!Nvrtc::get().missing().empty()) GTEST_SKIP() << Nvrtc::get().missing();
  const Compiled compiled = Nvrtc::get().compile({"wrong.cu", "nonsense;"}, device_sources(), {});
  EXPECT_TRUE(compiled.cubin.empty());
  EXPECT_NE(compiled.log.find("wrong.cu"), std::string::npos) << compiled.log;
}

}  // namespace
}  // namespace muster::cuda_peer
