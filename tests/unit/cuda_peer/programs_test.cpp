// The kernels' sources and the keys of what they are compiled to.
#include "plugins/backends/cuda_peer/programs.hpp"

#include <gtest/gtest.h>

#include <set>

#include "muster/plugin.hpp"
#include "plugins/backends/cuda_peer/device_sources.hpp"
#include "plugins/backends/cuda_peer/nvrtc.hpp"

namespace muster::cuda_peer {
namespace {

TEST(Programs, GivenAnyTwoProgramsThenTheirKeysAndSourcesDiffer) {
  std::set<std::string> names;
  std::set<std::string> sources;
  size_t count = 0;
  for (unsigned ranks = 2; ranks <= 8; ++ranks) {
    for (const char* const architecture : {"sm_80", "sm_90"}) {
      for (const ProgramKey& key : programs_of(ranks, architecture)) {
        names.insert(program_name(key) + std::to_string(key.ranks) + key.architecture);
        sources.insert(Program(key).source());
        ++count;
      }
    }
  }
  EXPECT_EQ(names.size(), count);
  EXPECT_EQ(sources.size(), count);
}

TEST(Programs, GivenAVariantThenItIsTheProgramItWasMadeOf) {
  for (const ProgramKey& key : programs_of(4, "sm_90")) {
    const Program program(key);
    const ProgramKey back = program_of(program.variant());
    EXPECT_EQ(back.dtype, key.dtype);
    EXPECT_EQ(back.ranks, key.ranks);
    EXPECT_EQ(back.architecture, key.architecture);
    EXPECT_EQ(Program(back).source(), program.source());
  }
}

TEST(Programs, GivenAVariantOfAnotherSourceThenItIsRefused) {
  const Program program({MUSTER_BF16, 2, "sm_90"});
  muster_variant variant = program.variant();
  variant.source = "0123";
  EXPECT_THROW(program_of(variant), plugin::Failure);
  variant = program.variant();
  variant.key.algorithm = "moves";
  EXPECT_THROW(program_of(variant), plugin::Failure);
}

TEST(Programs, GivenNvrtcThenItIsTheToolchainOfEveryVariant) {
  EXPECT_EQ(toolchain().empty(), !Nvrtc::get().missing().empty());
  EXPECT_EQ(Program({MUSTER_BF16, 2, "sm_90"}).variant().toolchain, toolchain());
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
