// How a communicator is configured: NCCL's struct by version, thread blocks by option.
#include <gtest/gtest.h>

#include "plugins/backends/nccl/api.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using nccl::kUndefined;

nccl::Config config_of(const World& world, const char* library = "libnccl.so.2") {
  on_ranks(world, [](api::Group&, gpu::Device&) {});
  nccl::Config config{};
  void* const file = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  reinterpret_cast<void (*)(nccl::Config*)>(dlsym(file, "simulatedConfig"))(&config);
  return config;
}

TEST(NcclConfig, GivenWindowsThenThereAreEnoughBlocksForThem) {
  const nccl::Config config = config_of(simulated_world(2, nccl_option("windows", "true")));
  EXPECT_EQ(config.magic, nccl::kConfigMagic);
  EXPECT_EQ(config.version, 22700u);
  EXPECT_EQ(config.size, sizeof(config));
  EXPECT_EQ(config.blocking, 1);
  EXPECT_EQ(config.min_ctas, 32);
  EXPECT_EQ(config.max_ctas, 64);
  EXPECT_EQ(config.traffic_class, kUndefined);
  EXPECT_EQ(config.nvls_ctas, kUndefined);
}

TEST(NcclConfig, GivenLimitsThenTheyAreGivenOn) {
  const nccl::Config config =
      config_of(simulated_world(2, nccl_option("min_ctas", "4") + nccl_option("max_ctas", "16") +
                                       nccl_option("blocking", "false")));
  EXPECT_EQ(config.min_ctas, 4);
  EXPECT_EQ(config.max_ctas, 16);
  EXPECT_EQ(config.blocking, 0);
}

TEST(NcclConfig, GivenFewBlocksAtMostThenNoMoreAreAskedFor) {
  EXPECT_EQ(
      config_of(simulated_world(2, nccl_option("windows", "true") + nccl_option("max_ctas", "8")))
          .min_ctas,
      8);
}

TEST(NcclConfig, GivenNoWindowsThenTheNumberIsNcclsOwn) {
  EXPECT_EQ(config_of(simulated_world(2)).min_ctas, kUndefined);
}

TEST(NcclConfig, GivenTheOldestVersionThenItIsGivenNoMoreThanItKnows) {
  const nccl::Config config =
      config_of(simulated_world(2, nccl_option("library", "\"" NCCL_2_18 "\"")), NCCL_2_18);
  EXPECT_EQ(config.version, 21800u);
  EXPECT_EQ(config.size, 48u);
  EXPECT_EQ(config.min_ctas, kUndefined);
}

}  // namespace
}  // namespace muster::testing
