// Groups: one chain on all ranks, or none, and everybody knows why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class Agreement : public ::testing::Test {
 protected:
  // Who serves an all_reduce, and the explanation, on every rank.
  void expect_served_by(const World& world, const std::string& expected,
                        const std::vector<std::string>& explanation_holds) {
    world.run([&](api::Runtime& runtime, uint32_t rank) {
      api::Group group(runtime);
      int data = 0;
      muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
      call.redop = MUSTER_SUM;
      call.send = call.recv = &data;
      call.count = 1;
      EXPECT_EQ(group.backend(call), expected) << rank;
      const std::string text = group.explain(call);
      for (const std::string& part : explanation_holds)
        EXPECT_THAT(text, HasSubstr(part)) << "rank " << rank;
      group.execute(call);
    });
  }

  CapturedLog log_;
};

TEST_F(Agreement, GivenTwoBackendsThenAllRanksUseTheOneOfHigherPriority) {
  IdleBackend low("low", 10);
  IdleBackend high("high", 90);
  EXPECT_CALL(high, execute).Times(3);
  EXPECT_CALL(low, execute).Times(0);
  expect_served_by(World(3).with(low).with(high), "high", {"answer    high", "low"});
}

TEST_F(Agreement, GivenPriorityAndPolicyOfTheConfigurationThenTheyGoFirst) {
  IdleBackend low("low", 10);
  IdleBackend high("high", 90);
  const std::string mocked = World::kMockedConfig;
  expect_served_by(World(2).with(low).with(high).config(mocked + "[backend.low]\npriority = 95\n"),
                   "low", {"priority 95 by api:"});
  expect_served_by(World(2).with(low).with(high).config(mocked + "[[rule]]\nforbid = [\"high\"]\n"),
                   "low", {"forbidden (by api:"});
  expect_served_by(World(2).with(low).with(high).config(mocked + "[[rule]]\nprefer = [\"low\"]\n"),
                   "low", {"preferred by api:"});
  expect_served_by(
      World(2).with(low).with(high).config(mocked + "[backend.high]\nmode = \"off\"\n"), "low",
      {"high", "off"});
}

TEST_F(Agreement, GivenABackendThatOneRankLacksThenItIsLeftOutEverywhereAndTheRankIsNamed) {
  IdleBackend common("common", 10);
  IdleBackend rare("rare", 90);
  EXPECT_CALL(rare, prepare).Times(0);
  expect_served_by(World(3).with(common).with_on_rank(0, rare).with_on_rank(2, rare), "common",
                   {"rare", "rank 1 does not have it"});
}

TEST_F(Agreement, GivenABackendWhoseProbeFailsOnOneRankThenItIsLeftOutEverywhereWithTheCause) {
  IdleBackend common("common", 10);
  IdleBackend good("fragile", 90);
  IdleBackend bad("fragile", 90);
  ON_CALL(bad, probe).WillByDefault([](plugin::Facts) {
    plugin::fail(MUSTER_UNAVAILABLE, "no device here");
  });
  expect_served_by(World(2).with(common).with_on_rank(0, good).with_on_rank(1, bad), "common",
                   {"fragile", "rank 1: ", "no device here"});
}

TEST_F(Agreement, GivenAnotherVersionOfABackendOnOneRankThenItIsLeftOutEverywhere) {
  IdleBackend common("common", 10);
  IdleBackend older("fast", 90, 0, "1.0.0");
  IdleBackend newer("fast", 90, 0, "1.1.0");
  expect_served_by(
      World(3).with(common).with_on_rank(0, older).with_on_rank(1, older).with_on_rank(2, newer),
      "common", {"fast", "rank 0 has version 1.0.0, rank 2 has 1.1.0"});
}

TEST_F(Agreement, GivenAnOfferThatDiffersOnOneRankThenTheBackendIsLeftOutEverywhere) {
  IdleBackend common("common", 10);
  IdleBackend honest("fast", 90);
  IdleBackend liar("fast", 90);
  ON_CALL(liar, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.score = 1;
    query.add(rule);
  });
  expect_served_by(
      World(3).with(common).with_on_rank(0, honest).with_on_rank(1, honest).with_on_rank(2, liar),
      "common", {"fast", "its offer on rank 2 differs from that on rank 0"});
}

TEST_F(Agreement, GivenAnOfferThatFailsOnOneRankThenTheBackendIsLeftOutEverywhere) {
  IdleBackend common("common", 10);
  IdleBackend honest("fast", 90);
  IdleBackend broken("fast", 90);
  ON_CALL(broken, offer).WillByDefault([](plugin::Query) {
    plugin::fail(MUSTER_INTERNAL, "no table");
  });
  expect_served_by(
      World(3).with(common).with_on_rank(0, honest).with_on_rank(1, broken).with_on_rank(2, honest),
      "common", {"fast", "its offer on rank 1 differs from that on rank 0"});
}

TEST_F(Agreement, GivenABackendThatDeclinesThenItsReasonsAreKept) {
  IdleBackend common("common", 10);
  IdleBackend shy("shy", 90);
  ON_CALL(shy, offer).WillByDefault([](plugin::Query query) { query.decline("no multicast"); });
  expect_served_by(World(2).with(common).with(shy), "common", {"declines: no multicast"});
}

TEST_F(Agreement, GivenFactsOfAllRanksThenEveryOfferSeesAllOfThem) {
  IdleBackend mock("fast");
  std::atomic<int> rank{0};
  ON_CALL(mock, probe).WillByDefault([&](plugin::Facts facts) {
    facts.put("order", std::to_string(rank.fetch_add(1)));
  });
  std::mutex mutex;
  std::vector<std::string> seen;
  ON_CALL(mock, offer).WillByDefault([&](plugin::Query query) {
    query.add(MockBackend::everything());
    const std::lock_guard lock(mutex);
    seen.push_back(query.fact(0, "order") + "," + query.fact(1, "order"));
  });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) { api::Group group(runtime); });
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0].find(",") != std::string::npos && seen[0].size() >= 3, true) << seen[0];
}

TEST_F(Agreement, GivenPrepareThatFailsOnOneRankThenNobodyConnectsAndThePreparedEndTheirParts) {
  IdleBackend next("next", 10);
  IdleBackend first("first", 90);
  PerRank destroyed;
  ON_CALL(first, prepare).WillByDefault([](MockGroup& group) {
    if (group.rank() == 1) plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "no memory");
  });
  ON_CALL(first, destroy).WillByDefault([&](MockGroup& group) { destroyed.count(group.rank()); });
  EXPECT_CALL(first, connect).Times(0);
  EXPECT_CALL(next, connect).Times(3);
  expect_served_by(World(3).with(next).with(first), "next",
                   {"first", "rank 1: prepare: first: no memory"});
  EXPECT_THAT(destroyed.counts(), UnorderedElementsAre(Pair(0, 1), Pair(2, 1)));
}

TEST_F(Agreement, GivenConnectThatFailsOnOneRankThenEveryRankEndsItsPartAndTheNextServes) {
  IdleBackend next("next", 10);
  IdleBackend first("first", 90);
  PerRank destroyed;
  PerRank destroyed_next;
  ON_CALL(first, connect).WillByDefault([](MockGroup& group) {
    if (group.rank() == 2) plugin::fail(MUSTER_UNAVAILABLE, "link is down");
  });
  ON_CALL(first, destroy).WillByDefault([&](MockGroup& group) { destroyed.count(group.rank()); });
  ON_CALL(next, destroy).WillByDefault([&](MockGroup& group) {
    destroyed_next.count(group.rank());
  });
  EXPECT_CALL(first, execute).Times(0);
  expect_served_by(World(3).with(next).with(first), "next",
                   {"first", "rank 2: connect: first: link is down"});
  EXPECT_THAT(destroyed.counts(), UnorderedElementsAre(Pair(0, 1), Pair(1, 1), Pair(2, 1)));
  EXPECT_THAT(destroyed_next.counts(), UnorderedElementsAre(Pair(0, 1), Pair(1, 1), Pair(2, 1)));
  EXPECT_EQ(log_.count("backend first is left out"), 3) << "a preferred backend: once per rank";
}

TEST_F(Agreement, GivenTheSilentPolicyThenAFallbackIsNotLogged) {
  IdleBackend next("next", 10);
  IdleBackend first("first", 90);
  ON_CALL(first, connect).WillByDefault([](MockGroup&) {
    plugin::fail(MUSTER_UNAVAILABLE, "link is down");
  });
  expect_served_by(World(2).with(next).with(first).config(std::string(World::kMockedConfig) +
                                                          "[fallback]\npolicy = \"silent\"\n"),
                   "next", {"rank 0: connect: first: link is down; rank 1: "});
  EXPECT_EQ(log_.count("left out"), 0);
}

class Refused : public Agreement {
 protected:
  // Creation of the group fails on every rank with this code, and the text holds all parts.
  void expect_refused(const World& world, muster_code code, const std::vector<std::string>& holds) {
    const std::vector<RankFailure> failures =
        world.failures_of([](api::Runtime& runtime, uint32_t) {
          api::GroupOptions options;
          options.name = "tp";
          api::Group group(runtime, options);
        });
    for (const RankFailure& failure : failures) {
      EXPECT_EQ(failure.code, code) << failure.text;
      for (const std::string& part : holds) EXPECT_THAT(failure.text, HasSubstr(part));
    }
    EXPECT_FALSE(failures.empty());
    refused_ = failures.size();
  }
  size_t refused_ = 0;
};

TEST_F(Refused, GivenARequiredBackendThatFallsOutThenTheGroupIsRefusedWithItsCause) {
  IdleBackend next("next", 10);
  IdleBackend first("first", 90);
  ON_CALL(first, connect).WillByDefault([](MockGroup& group) {
    if (group.rank() == 0) plugin::fail(MUSTER_UNAVAILABLE, "link is down");
  });
  expect_refused(World(2).with(next).with(first).config(std::string(World::kMockedConfig) +
                                                        "[backend.first]\nmode = \"required\"\n"),
                 MUSTER_UNAVAILABLE, {"must not do without backend first", "link is down"});
  EXPECT_EQ(refused_, 2u);
}

TEST_F(Refused, GivenTheErrorPolicyThenAnyBackendThatFallsOutRefusesTheGroup) {
  IdleBackend next("next", 10);
  IdleBackend first("first", 90);
  ON_CALL(first, prepare).WillByDefault([](MockGroup&) {
    plugin::fail(MUSTER_UNAVAILABLE, "link is down");
  });
  expect_refused(World(2).with(next).with(first).config(std::string(World::kMockedConfig) +
                                                        "[fallback]\npolicy = \"error\"\n"),
                 MUSTER_UNAVAILABLE, {"first", "link is down"});
}

TEST_F(Refused, GivenABackendThatOnlyThisGroupRequiresAndNobodyHasThenTheGroupIsRefused) {
  IdleBackend mock("fast");
  expect_refused(World(2).with(mock).config(std::string(World::kMockedConfig) +
                                            "[group.\"tp\".backend.absent]\nmode = \"required\"\n"),
                 MUSTER_UNAVAILABLE, {"group tp requires backend absent", "(api:", "not found"});
  EXPECT_EQ(refused_, 2u);
}

TEST_F(Refused, GivenNoBackendAtAllThenTheGroupIsRefusedWithEveryReason) {
  IdleBackend shy("shy");
  ON_CALL(shy, offer).WillByDefault([](plugin::Query query) { query.decline("too shy"); });
  expect_refused(World(2).with(shy), MUSTER_UNAVAILABLE,
                 {"no backend can serve group tp of 2 ranks", "shy: declines: too shy"});
}

TEST_F(Refused, GivenOptionsThatDifferThenEveryRankHearsWhoAndWhat) {
  IdleBackend mock("fast");
  const std::vector<RankFailure> failures =
      World(3).with(mock).failures_of([](api::Runtime& runtime, uint32_t rank) {
        api::GroupOptions options;
        options.name = rank == 2 ? "pp" : "tp";
        options.determinism = MUSTER_RUN_TO_RUN;
        api::Group group(runtime, options);
      });
  ASSERT_EQ(failures.size(), 3u);
  for (const RankFailure& failure : failures) {
    EXPECT_EQ(failure.code, MUSTER_MISMATCH);
    EXPECT_THAT(failure.text, AllOf(HasSubstr("options"), HasSubstr("rank 0 has 'name tp"),
                                    HasSubstr("rank 2 has 'name pp")));
  }
}

TEST_F(Agreement, GivenTwoGroupsOverTheSameRanksThenTheyHaveTagsOfTheirOwnEqualOnAllRanks) {
  IdleBackend mock("fast");
  std::mutex mutex;
  std::map<std::string, std::vector<uint64_t>> tags;
  ON_CALL(mock, prepare).WillByDefault([&](MockGroup& group) {
    const std::lock_guard lock(mutex);
    tags[group.name()].push_back(group.runtime().info().tag);
  });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::GroupOptions options;
    options.name = "first";
    api::Group first(runtime, options);
    options.name = "second";
    api::Group second(runtime, options);
  });
  ASSERT_EQ(tags["first"].size(), 2u);
  EXPECT_EQ(tags["first"][0], tags["first"][1]);
  EXPECT_EQ(tags["second"][0], tags["second"][1]);
  EXPECT_NE(tags["first"][0], tags["second"][0]);
}

TEST_F(Agreement, GivenASubsetInAnOrderOfItsOwnThenGroupRanksFollowTheListAndPlacesTheWorld) {
  IdleBackend mock("fast");
  ON_CALL(mock, prepare).WillByDefault([](MockGroup& group) {
    const uint32_t world_ranks[] = {3, 1};
    EXPECT_EQ(group.size(), 2u);
    for (uint32_t r = 0; r < 2; ++r) {
      EXPECT_EQ(group.runtime().info().places[r].world_rank, world_ranks[r]);
      EXPECT_EQ(group.runtime().info().places[r].process, 0u);
    }
  });
  World(4).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    if (rank != 1 && rank != 3) return;
    api::Group group(runtime, {3, 1});
    EXPECT_EQ(group.rank(), rank == 3 ? 0u : 1u);
    EXPECT_EQ(group.size(), 2u);
  });
}

TEST_F(Agreement, GivenExchangesOfABackendInConnectThenTheyReachAllRanksOfTheGroup) {
  IdleBackend mock("fast");
  ON_CALL(mock, connect).WillByDefault([](MockGroup& group) {
    const uint32_t mine = 10 + group.rank();
    std::vector<uint32_t> all(group.size());
    group.runtime().all_gather(&mine, sizeof(mine), all.data());
    EXPECT_EQ(all, (std::vector<uint32_t>{10, 11, 12}));
    uint32_t from_root = group.rank() == 2 ? 7 : 0;
    group.runtime().broadcast(2, &from_root, sizeof(from_root));
    EXPECT_EQ(from_root, 7u);
    EXPECT_TRUE(group.runtime().peer_alive(1));
  });
  EXPECT_CALL(mock, connect).Times(3);
  World(3).with(mock).run([](api::Runtime& runtime, uint32_t) { api::Group group(runtime); });
}

TEST_F(Agreement, GivenAnExchangeOfUnequalSizesThenItFailsAndNamesWhoGaveWhat) {
  IdleBackend next("next", 10);
  IdleBackend mock("fast", 90);
  ON_CALL(mock, connect).WillByDefault([](MockGroup& group) {
    uint64_t mine = 0;
    uint64_t all[2] = {};
    group.runtime().all_gather(&mine, group.rank() == 0 ? 4 : 8, all);
  });
  expect_served_by(World(2).with(next).with(mock), "next",
                   {"rank 0: connect: ", "rank 1 gave 8 bytes to an all_gather of 4 bytes"});
}

}  // namespace
}  // namespace muster::testing
