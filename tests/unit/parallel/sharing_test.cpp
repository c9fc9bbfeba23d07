// Which roles use one group, by the partitions and by what the configuration says of their names.
#include "core/parallel/sharing.hpp"

#include <gtest/gtest.h>

#include "tests/unit/config/config_fixture.hpp"

namespace muster {
namespace {

Sharing share(const std::string& layout, uint32_t world, const std::string& toml = "",
              uint32_t roles = kAllRoles, const std::string& name = "") {
  const Result<LayoutSizes> sizes = complete_layout(*parse_layout(layout), world);
  EXPECT_TRUE(sizes.ok());
  return share_groups(*sizes, roles, config_of(toml), name);
}

TEST(Sharing, GivenEqualPartitionsThenTheFirstRoleOfThemHasTheGroup) {
  const Sharing sharing = share("tp=8,ep=4,moe_dp=2,attn_cp=2", 8);
  EXPECT_EQ(sharing[MUSTER_ROLE_WORLD], MUSTER_ROLE_WORLD);
  EXPECT_EQ(sharing[MUSTER_ROLE_TP], MUSTER_ROLE_WORLD);
  EXPECT_EQ(sharing[MUSTER_ROLE_ATTN_TP], MUSTER_ROLE_ATTN_TP);
  EXPECT_EQ(sharing[MUSTER_ROLE_MOE_EP], MUSTER_ROLE_ATTN_TP);
  EXPECT_EQ(sharing[MUSTER_ROLE_ATTN_CP], MUSTER_ROLE_ATTN_CP);
  EXPECT_EQ(sharing[MUSTER_ROLE_MOE_DP], MUSTER_ROLE_ATTN_CP);
  EXPECT_EQ(sharing[MUSTER_ROLE_ATTN_DP], MUSTER_ROLE_ATTN_DP) << "groups of one rank";
  EXPECT_EQ(sharing[MUSTER_ROLE_PP], MUSTER_ROLE_ATTN_DP);
  EXPECT_EQ(sharing[MUSTER_ROLE_SHARED_EXPERTS_TP], MUSTER_ROLE_WORLD);
}

TEST(Sharing, GivenSomeRolesOnlyThenTheOthersHaveNoGroupAndLendNone) {
  const Sharing sharing =
      share("tp=8", 8, "", 1u << MUSTER_ROLE_TP | 1u << MUSTER_ROLE_MOE_TP | 1u << MUSTER_ROLE_PP);
  EXPECT_EQ(sharing[MUSTER_ROLE_WORLD], MUSTER_ROLE_NONE);
  EXPECT_EQ(sharing[MUSTER_ROLE_TP], MUSTER_ROLE_TP);
  EXPECT_EQ(sharing[MUSTER_ROLE_MOE_TP], MUSTER_ROLE_TP);
  EXPECT_EQ(sharing[MUSTER_ROLE_PP], MUSTER_ROLE_PP);
}

TEST(Sharing, GivenSettingsForSomeRolesThenThoseShareAmongThemselvesOnly) {
  for (const char* const toml :
       {"[group.\"moe*\".backend.hccl]\noptions = { buffer_mb = 400 }\n",
        "[group.\"moe*\".backend.shm]\npriority = 3\n",
        "[group.\"moe*\".backend.shm]\nmode = \"off\"\n", "[group.\"moe*\"]\ntimeout_ms = 5\n",
        "[[rule]]\ngroup = \"moe*\"\nforbid = [\"shm\"]\n"}) {
    const Sharing sharing = share("tp=8,ep=8", 8, toml);
    EXPECT_EQ(sharing[MUSTER_ROLE_TP], MUSTER_ROLE_WORLD) << toml;
    EXPECT_EQ(sharing[MUSTER_ROLE_SHARED_EXPERTS_TP], MUSTER_ROLE_WORLD) << toml;
    EXPECT_EQ(sharing[MUSTER_ROLE_MOE_EP], MUSTER_ROLE_MOE_EP) << toml;
    EXPECT_EQ(sharing[MUSTER_ROLE_MOE_TP], MUSTER_ROLE_MOE_TP) << toml;
    EXPECT_EQ(sharing[MUSTER_ROLE_MOE_DP], MUSTER_ROLE_MOE_TP) << toml;
    EXPECT_EQ(sharing[MUSTER_ROLE_PP], MUSTER_ROLE_ATTN_CP) << toml;
  }
}

TEST(Sharing, GivenSettingsThatSayNothingNewThenRolesStillShare) {
  const Sharing sharing = share("tp=8,ep=8", 8,
                                "[backend.shm]\npriority = 7\n[group.\"moe*\".backend.shm]\n"
                                "priority = 7\n[[rule]]\nprefer = [\"shm\"]\n");
  EXPECT_EQ(sharing[MUSTER_ROLE_MOE_EP], MUSTER_ROLE_WORLD);
}

TEST(Sharing, GivenALayoutWithANameThenSectionsMeanTheWholeName) {
  const std::string toml = "[group.\"draft.*\"]\ntimeout_ms = 5\n[group.tp]\ntimeout_ms = 6\n";
  EXPECT_EQ(share("tp=8", 8, toml, kAllRoles, "draft")[MUSTER_ROLE_TP], MUSTER_ROLE_WORLD);
  EXPECT_EQ(share("tp=8", 8, toml)[MUSTER_ROLE_TP], MUSTER_ROLE_TP);
  EXPECT_EQ(role_group_name("draft", MUSTER_ROLE_MOE_EP), "draft.moe_ep");
  EXPECT_EQ(role_group_name("", MUSTER_ROLE_MOE_EP), "moe_ep");
}

}  // namespace
}  // namespace muster
