// The groups of roles: the published examples, and every layout of small worlds against a grouping
// that counts ranks one by one.
#include "core/parallel/roles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "tests/unit/parallel/published_layouts.hpp"

namespace muster {
namespace {

using testing::Partition;

TEST(Roles, GivenThePublishedExamplesThenEveryRoleHasExactlyThoseGroups) {
  ASSERT_GE(testing::published().layouts.size(), 4u);
  for (const testing::PublishedLayout& layout : testing::published().layouts) {
    const Result<muster_layout_sizes> given = parse_layout(layout.sizes);
    ASSERT_TRUE(given.ok()) << given.status().message();
    const Result<LayoutSizes> sizes = complete_layout(*given, layout.world);
    ASSERT_TRUE(sizes.ok()) << sizes.status().message();
    ASSERT_FALSE(layout.roles.empty());
    for (const auto& [name, groups] : layout.roles) {
      const std::optional<muster_role> role = role_from_name(name);
      ASSERT_TRUE(role.has_value()) << name;
      EXPECT_EQ(role_partition(*sizes, *role), groups) << layout.sizes << " " << name;
    }
  }
}

TEST(Roles, GivenNamesThenTheyAreThoseOfTheVocabularyAndEp) {
  for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role)
    EXPECT_EQ(role_from_name(muster_role_name(role)), role);
  EXPECT_EQ(role_from_name("ep"), muster_role{MUSTER_ROLE_MOE_EP});
  for (const char* const name : {"attention_tp", "none", "unknown", "", "TP"})
    EXPECT_EQ(role_from_name(name), std::nullopt) << name;
  EXPECT_EQ(unknown_role("attn_tq").remedy(), "did you mean 'attn_tp'?");
  EXPECT_THAT(unknown_role("attention_tp").message(), ::testing::HasSubstr("'attention_tp'"));
  EXPECT_STREQ(muster_role_name(MUSTER_ROLE_END), "unknown");
}

std::vector<std::array<uint32_t, 3>> factors_of_three(uint32_t number) {
  std::vector<std::array<uint32_t, 3>> all;
  for (uint32_t a = 1; a <= number; ++a) {
    for (uint32_t b = 1; a * b <= number; ++b) {
      if (number % (a * b) == 0) all.push_back({a, b, number / (a * b)});
    }
  }
  return all;
}

std::vector<uint32_t> divisors_of(uint32_t number) {
  std::vector<uint32_t> all;
  for (uint32_t a = 1; a <= number; ++a) {
    if (number % a == 0) all.push_back(a);
  }
  return all;
}

// Where a rank stands: its place in each of five nested loops, the innermost last.
using Place = std::array<uint32_t, 5>;

// Ranks handed out by five nested loops of these lengths.
std::vector<Place> count_ranks(const Place& lengths) {
  std::vector<Place> places;
  Place at{};
  for (at[0] = 0; at[0] < lengths[0]; ++at[0])
    for (at[1] = 0; at[1] < lengths[1]; ++at[1])
      for (at[2] = 0; at[2] < lengths[2]; ++at[2])
        for (at[3] = 0; at[3] < lengths[3]; ++at[3])
          for (at[4] = 0; at[4] < lengths[4]; ++at[4]) places.push_back(at);
  return places;
}

// Ranks that stand in the same place in all loops but these belong together.
Partition grouped(const std::vector<Place>& places, const std::set<size_t>& free) {
  std::map<Place, std::vector<uint32_t>> by_rest;
  for (uint32_t rank = 0; rank < places.size(); ++rank) {
    Place rest = places[rank];
    for (const size_t loop : free) rest[loop] = 0;
    by_rest[rest].push_back(rank);
  }
  Partition groups;
  for (const auto& [rest, ranks] : by_rest) groups.push_back(ranks);
  std::sort(groups.begin(), groups.end());
  return groups;
}

void expect_partition(const LayoutSizes& sizes, muster_role role, const Partition& expected) {
  ASSERT_EQ(role_partition(sizes, role), expected)
      << layout_text(sizes) << " " << muster_role_name(role);
}

// Groups follow from the shape alone, so every shape of a world is asked once.
void expect_equal_from_all_members(const LayoutSizes& sizes, muster_role role) {
  static std::set<std::tuple<uint32_t, uint32_t, uint32_t>> asked;
  const auto [length, stride] = role_shape(sizes, role);
  if (!asked.emplace(sizes.world, length, stride).second) return;
  std::set<uint32_t> seen;
  for (const std::vector<uint32_t>& group : role_partition(sizes, role)) {
    for (const uint32_t member : group) {
      ASSERT_EQ(role_ranks(sizes, role, member), group)
          << layout_text(sizes) << " " << muster_role_name(role) << " rank " << member;
      ASSERT_TRUE(seen.insert(member).second);
    }
  }
  ASSERT_EQ(seen.size(), sizes.world);
}

using NamedSizes = std::vector<std::pair<std::string, uint32_t>>;

uint64_t product_of(const std::vector<std::string>& names, const NamedSizes& sizes) {
  uint64_t product = 1;
  for (const auto& name : names) {
    for (const auto& [known, size] : sizes) product *= known == name ? size : 1;
  }
  return product;
}

// The rows of the published table.
void expect_published_rules(const LayoutSizes& sizes) {
  const NamedSizes named = named_sizes(sizes);
  for (const auto& [name, rule] : testing::published().rules) {
    const auto [length, stride] = role_shape(sizes, *role_from_name(name));
    ASSERT_EQ(length, product_of(rule.length, named)) << layout_text(sizes) << " " << name;
    if (length == 1) continue;
    ASSERT_EQ(stride, product_of(rule.stride, named)) << layout_text(sizes) << " " << name;
  }
}

// All layouts of a world with these outer sizes.
void check_layouts(uint32_t dp, uint32_t pp, uint32_t tp) {
  muster_layout_sizes given{};
  given.tp = tp;
  given.pp = pp;
  given.dp = dp;
  const std::vector<Place> outer = count_ranks({dp, pp, tp, 1, 1});
  const std::array<std::pair<muster_role, Partition>, 4> outermost = {
      {{MUSTER_ROLE_WORLD, grouped(outer, {0, 1, 2})},
       {MUSTER_ROLE_DP, grouped(outer, {0})},
       {MUSTER_ROLE_PP, grouped(outer, {1})},
       {MUSTER_ROLE_TP, grouped(outer, {2})}}};
  const std::vector<uint32_t> divisors = divisors_of(tp);
  std::vector<Partition> splits;  // of tp, contiguous, by divisor
  for (const uint32_t part : divisors)
    splits.push_back(grouped(count_ranks({dp, pp, tp / part, part, 1}), {3}));

  size_t turn = 0;
  for (const auto& [attn_dp, attn_cp, attn_tp] : factors_of_three(tp)) {
    const std::vector<Place> attention = count_ranks({dp, pp, attn_dp, attn_cp, attn_tp});
    const Partition by_dp = grouped(attention, {2});
    const Partition by_cp = grouped(attention, {3});
    const Partition by_tp = grouped(attention, {4});
    for (const auto& [moe_dp, ep, moe_tp] : factors_of_three(tp)) {
      // The two splits of tp depend on nothing else, so going round them is enough.
      const size_t split = turn % divisors.size();
      const size_t other = turn++ / divisors.size() % divisors.size();
      given.attn_dp = attn_dp;
      given.attn_cp = attn_cp;
      given.moe_dp = moe_dp;
      given.ep = ep;
      given.dcp = divisors[split];
      given.shared_experts_tp = divisors[other];
      const Result<LayoutSizes> sizes = complete_layout(given, dp * pp * tp);
      ASSERT_TRUE(sizes.ok()) << sizes.status().message();
      ASSERT_EQ(sizes->attn_tp, attn_tp);
      ASSERT_EQ(sizes->moe_tp, moe_tp);
      // What depends on attention's sizes alone, or on neither, once for each of those.
      if (moe_dp == 1 && ep == 1) {
        for (const auto& [role, groups] : outermost) expect_partition(*sizes, role, groups);
        expect_partition(*sizes, MUSTER_ROLE_ATTN_DP, by_dp);
        expect_partition(*sizes, MUSTER_ROLE_ATTN_CP, by_cp);
        expect_partition(*sizes, MUSTER_ROLE_ATTN_TP, by_tp);
      }
      expect_partition(*sizes, MUSTER_ROLE_DCP, splits[split]);
      expect_partition(*sizes, MUSTER_ROLE_SHARED_EXPERTS_TP, splits[other]);
      expect_published_rules(*sizes);
      if (attn_dp != 1 || attn_cp != 1) continue;
      // And what depends on the experts' sizes alone.
      const std::vector<Place> experts = count_ranks({dp, pp, moe_dp, ep, moe_tp});
      expect_partition(*sizes, MUSTER_ROLE_MOE_DP, grouped(experts, {2}));
      expect_partition(*sizes, MUSTER_ROLE_MOE_EP, grouped(experts, {3}));
      expect_partition(*sizes, MUSTER_ROLE_MOE_TP, grouped(experts, {4}));
      for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role)
        expect_equal_from_all_members(*sizes, role);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Roles, GivenEveryLayoutOfUpTo64RanksThenTheGroupsAreThoseOfCountingOneByOne) {
  for (uint32_t world = 1; world <= 64; ++world) {
    for (const auto& [dp, pp, tp] : factors_of_three(world)) {
      check_layouts(dp, pp, tp);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Roles, GivenTwoRolesThenTheirShapesAreEqualExactlyWhenTheirPartitionsAre) {
  for (const auto& [attn_dp, attn_cp, attn_tp] : factors_of_three(12)) {
    for (const auto& [moe_dp, ep, moe_tp] : factors_of_three(12)) {
      LayoutSizes sizes;
      sizes.world = 48;
      sizes.tp = 12;
      sizes.pp = 2;
      sizes.dp = 2;
      std::tie(sizes.attn_dp, sizes.attn_cp, sizes.attn_tp) = std::tie(attn_dp, attn_cp, attn_tp);
      std::tie(sizes.moe_dp, sizes.ep, sizes.moe_tp) = std::tie(moe_dp, ep, moe_tp);
      for (muster_role a = MUSTER_ROLE_WORLD; a < MUSTER_ROLE_END; ++a) {
        for (muster_role b = MUSTER_ROLE_WORLD; b < a; ++b) {
          ASSERT_EQ(role_shape(sizes, a) == role_shape(sizes, b),
                    role_partition(sizes, a) == role_partition(sizes, b))
              << layout_text(sizes) << " " << muster_role_name(a) << " " << muster_role_name(b);
        }
      }
    }
  }
}

}  // namespace
}  // namespace muster
