// Joining a world: ranks that cannot work together stop at once, all of them, and say why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Joining : public ::testing::Test {
 protected:
  std::vector<RankFailure> failures_of(const World& world) {
    return world.failures_of([](api::Runtime&, uint32_t) {});
  }
  CapturedLog log_;
};

const std::string kMocked = World::kMockedConfig;

TEST_F(Joining, GivenAnotherPolicyOnOneRankThenAllAreRefusedAndBothSourcesAreNamed) {
  IdleBackend mock("fast");
  const auto failures = failures_of(
      World(3).with(mock).config_of_rank(2, kMocked + "[[rule]]\nforbid = [\"fast\"]\n"));
  ASSERT_EQ(failures.size(), 3u);
  for (const RankFailure& failure : failures) {
    EXPECT_EQ(failure.code, MUSTER_MISMATCH);
    EXPECT_THAT(failure.text, AllOf(HasSubstr("rank 0 and rank 2 have different policies"),
                                    HasSubstr("rank 0 from "), HasSubstr("rank 2 from ")));
  }
}

TEST_F(Joining, GivenSettingsThatAreNoPolicyThenTheyMayDiffer) {
  IdleBackend mock("fast");
  EXPECT_TRUE(
      failures_of(World(2).with(mock).config_of_rank(1, kMocked + "[log]\nlevel = \"error\"\n"))
          .empty());
}

TEST_F(Joining, GivenBadTomlOnOneRankThenAllStopAtOnceAndThatRankIsNamedWithLineAndColumn) {
  IdleBackend mock("fast");
  const auto failures =
      failures_of(World(3).with(mock).config_of_rank(1, "[plugins]\nprobe = \"in-process\n"));
  ASSERT_EQ(failures.size(), 3u);
  for (const RankFailure& failure : failures) {
    EXPECT_THAT(failure.text, HasSubstr("api:2:"));
    if (failure.rank == 1) continue;
    EXPECT_EQ(failure.code, MUSTER_ABORTED);
    EXPECT_THAT(failure.text, HasSubstr("rank 1 could not start: "));
  }
}

TEST_F(Joining, GivenARequiredBackendThatOneRankLacksThenAllStopAndItIsNamed) {
  IdleBackend mock("fast");
  const auto failures = failures_of(
      World(2).with_on_rank(0, mock).config(kMocked + "[backend.fast]\nmode = \"required\"\n"));
  ASSERT_EQ(failures.size(), 2u);
  EXPECT_EQ(failures[0].code, MUSTER_ABORTED);
  EXPECT_THAT(failures[0].text, HasSubstr("rank 1 could not start"));
  EXPECT_EQ(failures[1].code, MUSTER_UNAVAILABLE);
  EXPECT_THAT(failures[1].text,
              AllOf(HasSubstr("backend fast is required (api:"), HasSubstr("was not found")));
}

TEST_F(Joining, GivenARequiredBackendWhoseProbeFailsThenTheCauseIsTold) {
  IdleBackend mock("fast");
  ON_CALL(mock, probe).WillByDefault([](plugin::Facts) {
    plugin::fail(MUSTER_UNAVAILABLE, "no device here");
  });
  const auto failures =
      failures_of(World(2).with(mock).config(kMocked + "[backend.fast]\nmode = \"required\"\n"));
  ASSERT_EQ(failures.size(), 2u);
  for (const RankFailure& failure : failures)
    EXPECT_THAT(failure.text, HasSubstr("no device here"));
}

TEST_F(Joining, GivenAnOptionThatABackendDoesNotHaveThenInitIsRefusedAndTheLineIsNamed) {
  IdleBackend mock("fast", 90);  // has no options at all
  const auto failures =
      failures_of(World(2).with(mock).config(kMocked + "[backend.fast.options]\nspeed = 3\n"));
  ASSERT_EQ(failures.size(), 2u);
  for (const RankFailure& failure : failures) {
    EXPECT_EQ(failure.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failure.text,
                AllOf(HasSubstr("backend fast has no option 'speed'"), HasSubstr("api:")));
  }
}

TEST_F(Joining, GivenAWorldThenEveryRankKnowsItsPlaceAndWhatConnectsIt) {
  World(3).run([](api::Runtime& runtime, uint32_t rank) {
    EXPECT_EQ(runtime.rank(), rank);
    EXPECT_EQ(runtime.size(), 3u);
    EXPECT_EQ(runtime.bootstrap(), "threads");
  });
}

}  // namespace
}  // namespace muster::testing
