// Live layouts: the groups of all roles, made together, used by role, destroyed together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/parallel.hpp"
#include "tests/unit/agree/recorder.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kMocked = World::kMockedConfig;

// Each rank gives a bit of its own: the sum tells who took part.
void expect_sums_by_role(uint32_t world, const std::string& text) {
  ThreadBackend backend("threads", {MockBackend::everything()});
  World(world).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
    const auto sizes = api::LayoutSizes::parse(text);
    const api::Layout layout(runtime, sizes);
    for (muster_role role = MUSTER_ROLE_WORLD; role < MUSTER_ROLE_END; ++role) {
      const std::vector<uint32_t> ranks = sizes.ranks_of(role, rank, world);
      const uint64_t mine = uint64_t{1} << rank;
      uint64_t expected = 0;
      for (const uint32_t member : ranks) expected += uint64_t{1} << member;
      uint64_t sum = 0;
      api::check(muster_role_all_reduce(layout.get(), role, &mine, &sum, 1, MUSTER_U64, MUSTER_SUM,
                                        nullptr));
      EXPECT_EQ(sum, expected) << text << " " << muster_role_name(role) << " rank " << rank;
      uint64_t again = 0;
      layout.group(role).all_reduce(&mine, &again, 1, MUSTER_SUM);
      EXPECT_EQ(again, expected);
      EXPECT_EQ(layout.group(role).size(), ranks.size());
      EXPECT_EQ(ranks.at(layout.group(role).rank()), rank);
    }
  });
}

TEST(Layout, GivenLayoutsOfFourAndEightRanksThenEveryRoleReducesOverItsOwnRanks) {
  expect_sums_by_role(4, "tp=4,attn_dp=2,ep=2");
  expect_sums_by_role(4, "tp=2,pp=2,ep=2");
  expect_sums_by_role(8, "tp=8,attn_cp=2,ep=4,moe_dp=2,dcp=2,shared_experts_tp=4");
  expect_sums_by_role(8, "tp=2,pp=2,dp=2,attn_dp=2,moe_dp=2");
}

TEST(Layout, GivenTheOtherCallsByRoleThenTheyAreThoseOfTheGroup) {
  ThreadBackend backend("threads", {MockBackend::everything()});
  World(4).with(backend.mock()).run([](api::Runtime& runtime, uint32_t rank) {
    const api::Layout owner(runtime, api::LayoutSizes::parse("tp=4,ep=2"));
    const muster_layout* const layout = owner.get();
    const int32_t first = static_cast<int32_t>(rank % 2);  // of moe_ep: [0,2] and [1,3]
    const int32_t second = first + 2;
    const auto me = static_cast<int32_t>(rank);
    std::array<int32_t, 2> all{};
    const std::array<int32_t, 2> twice = {me, me + 10};
    const muster_role role = MUSTER_ROLE_MOE_EP;
    api::check(muster_role_all_gather(layout, role, &me, all.data(), 1, MUSTER_I32, nullptr));
    EXPECT_EQ(all, (std::array{first, second}));
    int32_t one = 0;
    api::check(muster_role_reduce_scatter(layout, role, twice.data(), &one, 1, MUSTER_I32,
                                          MUSTER_SUM, nullptr));
    EXPECT_EQ(one, first + second + (rank / 2 == 0 ? 0 : 20));
    api::check(
        muster_role_all_to_all(layout, role, twice.data(), all.data(), 1, MUSTER_I32, nullptr));
    EXPECT_EQ(all,
              (rank / 2 == 0 ? std::array{first, second} : std::array{first + 10, second + 10}));
    const uint64_t counts[] = {1, 1};
    const uint64_t swapped[] = {1, 0};
    api::check(muster_role_all_to_allv(layout, role, twice.data(), counts, nullptr, all.data(),
                                       counts, swapped, MUSTER_I32, nullptr));
    EXPECT_EQ(all,
              (rank / 2 == 0 ? std::array{second, first} : std::array{second + 10, first + 10}));
    api::check(muster_role_broadcast(layout, role, &me, &one, 1, MUSTER_I32, 1, nullptr));
    EXPECT_EQ(one, second);
    api::check(muster_role_barrier(layout, role));
  });
}

TEST(Layout, GivenEqualPartitionsThenRolesShareAGroupAndItsNameIsTheFirstRoles) {
  IdleBackend mock("fast");
  World(8).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::LayoutOptions options;
    options.name = "draft";
    const api::Layout layout(runtime, api::LayoutSizes::parse("tp=8,attn_cp=2,ep=4,moe_dp=2"),
                             options);
    EXPECT_EQ(layout.tp().get(), layout.world().get());
    EXPECT_EQ(layout.tp().name(), "draft.world");
    EXPECT_EQ(layout.moe_ep().get(), layout.attn_tp().get());
    EXPECT_EQ(layout.moe_ep().name(), "draft.attn_tp");
    EXPECT_EQ(layout.moe_dp().get(), layout.attn_cp().get());
    EXPECT_NE(layout.attn_cp().get(), layout.attn_tp().get());
    EXPECT_EQ(layout.pp().get(), layout.dp().get());
    const std::string text = layout.describe();
    EXPECT_THAT(text, HasSubstr("\"schema\": \"muster.layout/1\""));
    EXPECT_THAT(text, HasSubstr("\"attn_tp\": 4"));
    EXPECT_THAT(text, HasSubstr("\"shares\": \"attn_tp\""));
    EXPECT_THAT(runtime.describe(), HasSubstr("group draft.moe_ep"));
  });
}

TEST(Layout, GivenTwoLayoutsThenTheyShareNothing) {
  IdleBackend mock("fast");
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    const api::Layout a(runtime, {});
    const api::Layout b(runtime, {});
    EXPECT_NE(a.tp().get(), b.tp().get());
  });
}

TEST(Layout, GivenARoleWithOptionsOfItsOwnThenItAloneHasItsOwnGroupAndBackend) {
  IdleBackend plain("plain", 10);
  IdleBackend expert("expert", 5);
  const std::string priority = "[group.\"moe_ep\".backend.expert]\npriority = 90\n";
  const std::string rule = "[[rule]]\ngroup = \"moe_ep\"\nforbid = [\"plain\"]\n";
  for (const std::string& toml : {priority, rule}) {
    World(4)
        .with(plain)
        .with(expert)
        .config(kMocked + toml)
        .run([](api::Runtime& runtime, uint32_t) {
          const api::Layout layout(runtime, api::LayoutSizes::parse("tp=4,ep=4"));
          EXPECT_NE(layout.moe_ep().get(), layout.tp().get());
          EXPECT_EQ(layout.moe_ep().name(), "moe_ep");
          EXPECT_EQ(layout.tp().get(), layout.attn_tp().get());
          muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
          call.redop = MUSTER_SUM;
          EXPECT_EQ(layout.moe_ep().backend(call), "expert");
          EXPECT_EQ(layout.tp().backend(call), "plain");
          EXPECT_EQ(layout.attn_tp().backend(call), "plain");
        });
  }
}

TEST(Layout, GivenSomeRolesOnlyThenTheOthersAreRefused) {
  IdleBackend mock("fast");
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::LayoutOptions options;
    options.roles = 1u << MUSTER_ROLE_TP;
    const api::Layout layout(runtime, {}, options);
    EXPECT_EQ(layout.tp().name(), "tp");
    const Failed refused = failure_of([&] { layout.moe_ep(); });
    EXPECT_EQ(refused.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(refused.cause, "the layout was made without role moe_ep");
    EXPECT_EQ(failure_of([&] { layout.group(MUSTER_ROLE_END); }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(
        failure_of([&] { api::check(muster_role_barrier(layout.get(), MUSTER_ROLE_PP)); }).code,
        MUSTER_FAILED_PRECONDITION);
  });
}

TEST(Layout, GivenOutstandingWorkOrABorrowedGroupThenNothingIsDestroyed) {
  ThreadBackend backend("threads", {MockBackend::everything()});
  World(4).with(backend.mock()).run([](api::Runtime& runtime, uint32_t rank) {
    api::Layout layout(runtime, api::LayoutSizes::parse("tp=2,pp=2"));
    const Failed borrowed = failure_of([&] { layout.tp().destroy(); });
    EXPECT_EQ(borrowed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(borrowed.cause, "group tp belongs to a layout");
    { const api::Group stolen = layout.tp(); }
    int32_t data = 1;
    {
      muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
      call.redop = MUSTER_SUM;
      call.send = call.recv = &data;
      call.count = 1;
      api::Work work = layout.pp().start(call);
      const Failed busy = failure_of([&] { layout.destroy(); });
      EXPECT_EQ(busy.code, MUSTER_FAILED_PRECONDITION);
      EXPECT_EQ(busy.cause, "group pp has 1 works or plans outstanding");
      work.wait();
    }
    layout.tp().all_reduce(&data, &data, 1, MUSTER_SUM);
    EXPECT_EQ(data, 4) << rank;
    layout.destroy();
  });
}

TEST(Layout, GivenALayoutThatNobodyDestroysThenTheRuntimeEndsItsGroups) {
  const CapturedLog log;
  IdleBackend mock("fast");
  PerRank destroyed;
  ON_CALL(mock, destroy).WillByDefault([&](MockGroup& group) { destroyed.count(group.rank()); });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    muster_layout* layout = nullptr;
    const api::LayoutSizes sizes;
    api::check(muster_layout_create(runtime.get(), &sizes, nullptr, &layout));
  });
  EXPECT_EQ(destroyed.counts(), (std::map<uint32_t, int>{{0, 1}, {1, 1}}));
  EXPECT_EQ(log.count("was not destroyed before muster_finalize"), 4) << "world and ones, twice";
}

class LayoutRefused : public ::testing::Test {
 protected:
  std::vector<RankFailure> failures_of(const std::vector<std::string>& texts,
                                       const api::LayoutOptions& options = {}) {
    IdleBackend mock("fast");
    return World(static_cast<uint32_t>(texts.size()))
        .with(mock)
        .failures_of([&](api::Runtime& runtime, uint32_t rank) {
          const api::Layout layout(runtime, api::LayoutSizes::parse(texts[rank]), options);
        });
  }
};

TEST_F(LayoutRefused, GivenSizesThatDoNotFitThenEveryRankGetsTheEquation) {
  const auto failures = failures_of({"tp=4", "tp=4"});
  ASSERT_EQ(failures.size(), 2u);
  for (const RankFailure& failure : failures) {
    EXPECT_EQ(failure.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failure.text, HasSubstr("tp 4 x pp 1 x dp 1 = 4, but the world has 2 ranks"));
  }
}

TEST_F(LayoutRefused, GivenSizesThatDifferThenEveryRankGetsBoth) {
  for (const char* const other : {"ep=2", "tp=7"}) {
    const auto failures = failures_of({"tp=2", "tp=2", other, "tp=2"});
    ASSERT_EQ(failures.size(), 4u);
    for (const RankFailure& failure : failures) {
      EXPECT_EQ(failure.code, MUSTER_MISMATCH);
      EXPECT_THAT(failure.text, HasSubstr("the ranks disagree about a layout: rank 0 has"));
      EXPECT_THAT(failure.text, HasSubstr("rank 2 has '"));
    }
  }
}

TEST_F(LayoutRefused, GivenRolesOutsideTheVocabularyThenTheyAreRefused) {
  for (const uint32_t roles : {1u << MUSTER_ROLE_END, 1u << MUSTER_ROLE_NONE}) {
    api::LayoutOptions options;
    options.roles = roles;
    const auto failures = failures_of({"", ""}, options);
    ASSERT_EQ(failures.size(), 2u);
    EXPECT_EQ(failures[0].code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failures[0].text, HasSubstr("has bits of no role"));
  }
}

TEST_F(LayoutRefused, GivenOneGroupThatCannotBeMadeThenNoRankKeepsAnyAndAllLearnWhy) {
  IdleBackend mock("fast");
  PerRank prepared;
  PerRank destroyed;
  std::atomic<int> unprepared{0};
  ON_CALL(mock, prepare).WillByDefault([&](MockGroup& group) {
    if (group.name() == "attn_tp" && group.runtime().info().places[0].world_rank == 2) {
      ++unprepared;
      plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "no memory");
    }
    prepared.count(0);
  });
  ON_CALL(mock, destroy).WillByDefault([&](MockGroup&) { destroyed.count(0); });
  const CapturedLog log;
  const auto failures = World(4).with(mock).failures_of([](api::Runtime& runtime, uint32_t) {
    const api::Layout layout(runtime, api::LayoutSizes::parse("tp=4,attn_cp=2,ep=4"));
  });
  ASSERT_EQ(failures.size(), 4u);
  EXPECT_EQ(unprepared, 2);
  for (const RankFailure& failure : failures) {
    EXPECT_EQ(failure.code, failure.rank < 2 ? MUSTER_ABORTED : MUSTER_UNAVAILABLE);
    EXPECT_THAT(failure.text, HasSubstr("no backend can serve group attn_tp of 2 ranks"));
    EXPECT_THAT(failure.text, HasSubstr("no memory"));
  }
  EXPECT_EQ(prepared.counts(), destroyed.counts());
  EXPECT_EQ(prepared.counts().at(0), 4 + 2 + 4) << "world, half of attn_tp, attn_cp";
}

}  // namespace
}  // namespace muster::testing
