#include "plugins/backends/shm/spins.hpp"

#include <gtest/gtest.h>

namespace muster::shm {
namespace {

uint32_t looks_in_vain(Spins& spins) {
  uint32_t looks = 0;
  EXPECT_FALSE(spins.until([&] {
    ++looks;
    return false;
  }));
  return looks;
}

TEST(Spins, GivenLooksInVainThenTheyBecomeFewerButNeverNone) {
  Spins spins(1024);
  EXPECT_EQ(looks_in_vain(spins), 1024u);
  EXPECT_EQ(looks_in_vain(spins), 512u);
  for (int i = 0; i < 20; ++i) looks_in_vain(spins);
  EXPECT_GT(looks_in_vain(spins), 0u);
}

TEST(Spins, GivenALookThatSucceedsThenTheyComeBackUpToTheMost) {
  Spins spins(64);
  for (int i = 0; i < 20; ++i) looks_in_vain(spins);
  EXPECT_TRUE(spins.until([] { return true; }));
  EXPECT_EQ(looks_in_vain(spins), 64u);
  for (int i = 0; i < 20; ++i) spins.until([] { return true; });
  EXPECT_EQ(looks_in_vain(spins), 64u);
}

TEST(Spins, GivenMoreRanksThanCoresThenNobodyLooks) {
  Spins spins(0);
  EXPECT_EQ(looks_in_vain(spins), 0u);
  EXPECT_FALSE(spins.until([] { return true; }));
  EXPECT_EQ(looks_in_vain(spins), 0u);
}

}  // namespace
}  // namespace muster::shm
