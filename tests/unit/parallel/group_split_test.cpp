// Splits: colours, keys, nesting, destruction in any order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/parallel.hpp"
#include "tests/unit/agree/recorder.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The world ranks of a group, in its order.
std::vector<uint32_t> members_of(api::Group& group, uint32_t world_rank) {
  std::vector<uint32_t> ranks(group.size());
  group.all_gather(&world_rank, ranks.data(), 1);
  return ranks;
}

class Split : public ::testing::Test {
 protected:
  ThreadBackend backend_{"threads", {MockBackend::everything()}};
  World world(uint32_t size) { return World(size).with(backend_.mock()); }
};

TEST_F(Split, GivenColoursAndKeysThenEqualColoursFormGroupsOrderedByKeyThenRank) {
  world(6).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    std::optional<api::Group> part = split(all, rank % 2, rank < 4 ? 9 : 1);
    ASSERT_TRUE(part.has_value());
    const std::vector<uint32_t> members = members_of(*part, rank);
    if (rank % 2 == 0) {
      EXPECT_THAT(members, ElementsAre(4, 0, 2));
    } else {
      EXPECT_THAT(members, ElementsAre(5, 1, 3));
    }
    EXPECT_EQ(members[part->rank()], rank);
  });
}

TEST_F(Split, GivenNoColourThenThatRankGetsNoGroup) {
  world(3).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    std::optional<api::Group> part = split(all, rank == 1 ? MUSTER_NO_COLOUR : 7);
    ASSERT_EQ(part.has_value(), rank != 1);
    if (part) {
      EXPECT_THAT(members_of(*part, rank), ElementsAre(0, 2));
    }
    EXPECT_EQ(split(all, MUSTER_NO_COLOUR), std::nullopt);
  });
}

TEST_F(Split, GivenASplitOfASplitThenRanksAreThoseOfTheWorldAndAnyOrderOfDestructionIsRight) {
  for (const int order : {0, 1, 2}) {
    world(4).run([order](api::Runtime& runtime, uint32_t rank) {
      // Not in the order of the world.
      std::optional<api::Group> outer(std::in_place, runtime, std::vector<uint32_t>{3, 1, 2, 0});
      std::optional<api::Group> middle = split(*outer, rank / 3);
      std::optional<api::Group> inner = split(*middle, rank % 2 == 0 ? 0 : 1, 3 - rank);
      EXPECT_EQ(members_of(*middle, rank),
                rank == 3 ? (std::vector<uint32_t>{3}) : (std::vector<uint32_t>{1, 2, 0}));
      if (order == 0) outer.reset();
      if (order == 1) middle.reset();
      EXPECT_EQ(members_of(*inner, rank),
                rank % 2 == 0 ? (std::vector<uint32_t>{2, 0}) : (std::vector<uint32_t>{rank}));
      if (order == 2) {
        inner.reset();
        middle.reset();
      }
      if (outer) {
        EXPECT_THAT(members_of(*outer, rank), ElementsAre(3, 1, 2, 0));
      }
    });
  }
}

TEST_F(Split, GivenNoOptionsThenThoseOfTheGroupHold) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.determinism = MUSTER_RUN_TO_RUN;
    query.add(rule);
  });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::GroupOptions options;
    options.name = "stage";
    options.determinism = MUSTER_RUN_TO_RUN;
    api::Group all(runtime, options);
    EXPECT_EQ(split(all, 0)->name(), "stage");
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
    call.redop = MUSTER_SUM;
    const auto explained = [&](api::Group& group) { return group.explain(call); };
    std::optional<api::Group> same = split(all, 0);
    EXPECT_EQ(explained(*same), explained(all));
    api::GroupOptions other;
    other.name = "other";
    EXPECT_EQ(split(all, 0, 0, other)->name(), "other");
  });
}

TEST_F(Split, GivenOptionsThatDifferWithinAColourThenEveryRankIsToldAndTheGroupStaysUsable) {
  world(3).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    api::GroupOptions options;
    const std::string name = "n" + std::to_string(rank);
    options.name = name.c_str();
    const Failed refused = failure_of([&] { split(all, rank == 0 ? 0 : 5, 0, options); });
    EXPECT_EQ(refused.code, MUSTER_MISMATCH);
    EXPECT_THAT(refused.cause, HasSubstr("the ranks of colour 5 disagree: rank 1 asks for 'name "
                                         "n1"));
    EXPECT_EQ(split(all, rank, 0, options)->name(), name) << "colours may differ";
  });
}

TEST_F(Split, GivenAMistakeOnOneRankThenEveryRankIsTold) {
  world(3).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    const muster_group_options unset{};
    muster_group* out = nullptr;
    const Failed refused = failure_of([&] {
      api::check(muster_group_split(all.get(), 0, 0, rank == 2 ? &unset : nullptr, &out));
    });
    EXPECT_EQ(refused.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(refused.cause, HasSubstr("rank 2: muster_group_split: options.struct_size"));
    const Failed no_out = failure_of([&] {
      api::check(muster_group_split(all.get(), 0, 0, nullptr, rank == 1 ? nullptr : &out));
    });
    EXPECT_THAT(no_out.cause, HasSubstr("rank 1: muster_group_split: out is NULL"));
    EXPECT_EQ(out, nullptr);
  });
}

TEST_F(Split, GivenAGroupThatIsBrokenOnOneRankThenNoRankSplitsIt) {
  world(2).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    if (rank == 1) all.abort();
    const Failed refused = failure_of([&] { split(all, 0); });
    EXPECT_EQ(refused.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(refused.cause, HasSubstr("rank 1: group group is broken"));
  });
}

TEST_F(Split, GivenStartedCallsThenTheSplitComesAfterThem) {
  world(2).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group all(runtime);
    uint32_t data = rank + 1;
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_U32);
    call.redop = MUSTER_SUM;
    call.send = call.recv = &data;
    call.count = 1;
    api::Work work = all.start(call);
    std::optional<api::Group> part = split(all, 0);
    EXPECT_EQ(data, 3u);
    work.wait();
    EXPECT_THAT(members_of(*part, rank), ElementsAre(0, 1));
  });
}

}  // namespace
}  // namespace muster::testing
