// The functions of parallel.h that need no runtime, and what the others say of bad arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/parallel.hpp"
#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LayoutApi, GivenSizesThenTheGroupOfARankIsTold) {
  const auto sizes = api::LayoutSizes::parse("tp=8,ep=4");
  EXPECT_THAT(sizes.ranks_of(MUSTER_ROLE_MOE_EP, 3, 8), ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(sizes.ranks_of(MUSTER_ROLE_MOE_TP, 3, 8), ElementsAre(2, 3));
  EXPECT_THAT(sizes.ranks_of(MUSTER_ROLE_PP, 3, 8), ElementsAre(3));
}

TEST(LayoutApi, GivenLessRoomThanRanksThenTheirNumberIsToldAndNothingIsWritten) {
  const auto sizes = api::LayoutSizes::parse("tp=8");
  uint32_t ranks[] = {77, 77};
  for (const bool has_room : {false, true}) {
    uint32_t count = 0;
    const Failed refused = failure_of([&] {
      api::check(muster_layout_ranks(&sizes, 8, MUSTER_ROLE_TP, 3, has_room ? ranks : nullptr,
                                     has_room ? 2 : 0, &count));
    });
    EXPECT_EQ(refused.code, MUSTER_OUT_OF_RANGE);
    EXPECT_THAT(refused.cause, HasSubstr("the group of role tp has 8 ranks"));
    EXPECT_EQ(count, 8u);
    EXPECT_EQ(ranks[0], 77u);
  }
}

TEST(LayoutApi, GivenBadArgumentsThenTheyAreNamed) {
  const auto sizes = api::LayoutSizes::parse("tp=8");
  const muster_layout_sizes unset{};
  uint32_t count = 99;
  const auto cause_of = [&](const muster_layout_sizes* given, muster_role role, uint32_t rank) {
    const Failed refused = failure_of(
        [&] { api::check(muster_layout_ranks(given, 8, role, rank, nullptr, 0, &count)); });
    EXPECT_EQ(refused.code, MUSTER_INVALID_ARGUMENT);
    return refused.cause;
  };
  EXPECT_THAT(cause_of(nullptr, MUSTER_ROLE_TP, 0), HasSubstr("sizes is NULL"));
  EXPECT_THAT(cause_of(&unset, MUSTER_ROLE_TP, 0), HasSubstr("sizes.struct_size is not set"));
  EXPECT_THAT(cause_of(&sizes, MUSTER_ROLE_NONE, 0), HasSubstr("role 0 is unknown"));
  EXPECT_THAT(cause_of(&sizes, MUSTER_ROLE_END, 0), HasSubstr("role 13 is unknown"));
  EXPECT_THAT(cause_of(&sizes, MUSTER_ROLE_TP, 8), HasSubstr("outside the world of 8 ranks"));
  EXPECT_EQ(count, 99u);
  EXPECT_EQ(failure_of([] { api::check(muster_layout_parse(nullptr, nullptr)); }).code,
            MUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(failure_of([] { api::LayoutSizes::parse("tq=8"); }).remedy, HasSubstr("'tp'"));
  EXPECT_EQ(muster_layout_destroy(nullptr), nullptr);
  EXPECT_EQ(failure_of([] {
              api::check(muster_layout_create(nullptr, nullptr, nullptr, nullptr));
            }).cause,
            "muster_layout_create: runtime is NULL");
  EXPECT_EQ(
      failure_of([] { api::check(muster_groups_create(nullptr, nullptr, 0, nullptr)); }).cause,
      "muster_groups_create: runtime is NULL");
  EXPECT_EQ(
      failure_of([] { api::check(muster_group_split(nullptr, 0, 0, nullptr, nullptr)); }).cause,
      "muster_group_split: group is NULL");
}

}  // namespace
}  // namespace muster::testing
