// Groups by hand: lists of any order on every rank, and one answer for all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/parallel.hpp"
#include "tests/unit/agree/recorder.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Lists = std::vector<std::vector<uint32_t>>;

std::vector<api::GroupRequest> requests_of(const Lists& lists) {
  std::vector<api::GroupRequest> requests;
  for (const std::vector<uint32_t>& list : lists) requests.push_back({list, {}});
  return requests;
}

// Every rank's lists; the groups must sum over exactly their members.
void expect_made(const std::vector<Lists>& lists) {
  ThreadBackend backend("threads", {MockBackend::everything()});
  World(static_cast<uint32_t>(lists.size()))
      .with(backend.mock())
      .run([&](api::Runtime& runtime, uint32_t rank) {
        std::vector<api::Group> groups = create_groups(runtime, requests_of(lists[rank]));
        ASSERT_EQ(groups.size(), lists[rank].size());
        std::vector<uint64_t> sums(groups.size());
        const uint64_t mine = uint64_t{1} << rank;
        std::vector<api::Work> works;
        for (size_t i = 0; i < groups.size(); ++i) {
          muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_U64);
          call.redop = MUSTER_SUM;
          call.send = &mine;
          call.recv = &sums[i];
          call.count = 1;
          works.push_back(groups[i].start(call));
        }
        for (api::Work& work : works) work.wait();
        for (size_t i = 0; i < groups.size(); ++i) {
          uint64_t expected = 0;
          for (const uint32_t member : lists[rank][i]) expected += uint64_t{1} << member;
          EXPECT_EQ(sums[i], expected) << "rank " << rank << " group " << i;
          EXPECT_EQ(lists[rank][i].at(groups[i].rank()), rank);
        }
      });
}

TEST(GroupRequests, GivenListsThatCrossInAnyOrderThenAllGroupsAreMade) {
  expect_made({{{0, 1}, {2, 0}}, {{1, 2}, {0, 1}}, {{2, 0}, {1, 2}}});
  expect_made({{{2, 0}, {0, 1}}, {{0, 1}, {1, 2}}, {{1, 2}, {2, 0}}});
}

TEST(GroupRequests, GivenRanksThatWantManyOneOrNoneThenEachGetsItsOwnInItsOrder) {
  expect_made({{{3, 0}, {0}, {0, 1, 2, 3}, {3, 0}},
               {{0, 1, 2, 3}},
               {{3, 2}, {0, 1, 2, 3}},
               {{0, 1, 2, 3}, {3, 0}, {3, 2}, {3, 0}}});
  expect_made({{{0, 1}}, {{0, 1}}, {}});
  expect_made({{}, {}});
}

TEST(GroupRequests, GivenGroupsOfOneListThenTheyShareNothing) {
  IdleBackend mock("fast");
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::GroupRequest named{{0, 1}, {}};
    named.options.name = "draft";
    const std::vector<api::Group> groups =
        create_groups(runtime, {{{0, 1}, {}}, {{0, 1}, {}}, named});
    EXPECT_NE(groups[0].get(), groups[1].get());
    EXPECT_EQ(groups[1].name(), "group");
    EXPECT_EQ(groups[2].name(), "draft");
  });
}

class GroupRequestsRefused : public ::testing::Test {
 protected:
  using Requests = std::function<std::vector<api::GroupRequest>(uint32_t rank)>;

  // Every rank is refused with this code, its text holds all parts, and another try succeeds.
  void expect_refused(uint32_t world, const Requests& requests, muster_code code,
                      const std::vector<std::string>& parts) {
    IdleBackend mock("fast");
    World(world).with(mock).run([&](api::Runtime& runtime, uint32_t rank) {
      const Failed refused = failure_of([&] { create_groups(runtime, requests(rank)); });
      EXPECT_EQ(refused.code, code) << rank;
      for (const std::string& part : parts) EXPECT_THAT(refused.cause, HasSubstr(part)) << rank;
      EXPECT_FALSE(refused.remedy.empty());
      EXPECT_EQ(create_groups(runtime, requests_of({{0, 1, 2}})).size(), 1u);
    });
  }
};

TEST_F(GroupRequestsRefused, GivenAMemberThatDoesNotAskThenItIsNamedOnEveryRank) {
  const Lists rank_0 = {{0, 1, 2}};
  expect_refused(3, [&](uint32_t rank) { return requests_of(rank == 0 ? rank_0 : Lists{}); },
                 MUSTER_MISMATCH,
                 {"group [0, 1, 2] is asked for once by rank 0, but not by rank 1, rank 2"});
}

TEST_F(GroupRequestsRefused, GivenOptionsThatDifferThenBothRanksAreNamed) {
  const auto requests = [](uint32_t rank) {
    std::vector<api::GroupRequest> made = requests_of({{0, 1, 2}});
    if (rank == 2) made[0].options.determinism = MUSTER_RUN_TO_RUN;
    return made;
  };
  expect_refused(3, requests, MUSTER_MISMATCH,
                 {"the ranks disagree about group [0, 1, 2]: rank 0 asks for", "rank 2 for"});
}

TEST_F(GroupRequestsRefused, GivenAMistakeInOneRanksListThenEveryRankIsTold) {
  const auto by_rank_1 = [](const std::vector<uint32_t>& list) {
    return [list](uint32_t rank) {
      return requests_of(rank == 1 ? Lists{{0, 1, 2}, list} : Lists{{0, 1, 2}});
    };
  };
  expect_refused(3, by_rank_1({1, 3}), MUSTER_INVALID_ARGUMENT,
                 {"rank 1: ", "request 1: rank 3 is outside the world of 3 ranks"});
  expect_refused(3, by_rank_1({1, 0, 1}), MUSTER_INVALID_ARGUMENT,
                 {"rank 1: ", "request 1: rank 1 is listed twice"});
  expect_refused(3, by_rank_1({0, 2}), MUSTER_INVALID_ARGUMENT,
                 {"rank 1: ", "request 1: this rank (1) is not in the list"});
  expect_refused(3, by_rank_1({}), MUSTER_INVALID_ARGUMENT,
                 {"rank 1: ", "this rank (1) is not in the list"});
}

TEST_F(GroupRequestsRefused, GivenRecordsThatAreNotFilledInThenEveryRankIsTold) {
  IdleBackend mock("fast");
  const uint32_t ranks[] = {0, 1};
  const muster_group_options unset{};
  const std::vector<std::pair<muster_group_request, std::string>> mistakes = {
      {{0, 2, ranks, nullptr}, "request 0.struct_size is not set"},
      {{MUSTER_GROUP_REQUEST_SIZE, 2, nullptr, nullptr}, "request 0: ranks is NULL"},
      {{MUSTER_GROUP_REQUEST_SIZE, 2, ranks, &unset}, "request 0: options.struct_size is not set"}};
  World(2).with(mock).run([&](api::Runtime& runtime, uint32_t rank) {
    const auto refused_with = [&](const muster_group_request* requests, const std::string& cause) {
      const uint32_t count = rank == 0 ? 1 : 0;
      muster_group* out = nullptr;
      const Failed refused = failure_of([&] {
        api::check(muster_groups_create(runtime.get(), rank == 0 ? requests : nullptr, count,
                                        rank == 0 ? &out : nullptr));
      });
      EXPECT_EQ(refused.code, MUSTER_INVALID_ARGUMENT);
      EXPECT_THAT(refused.cause, HasSubstr("rank 0: muster_groups_create: " + cause));
      EXPECT_EQ(out, nullptr);
    };
    for (const auto& [request, cause] : mistakes) refused_with(&request, cause);
    refused_with(nullptr, "requests is NULL");
  });
}

TEST_F(GroupRequestsRefused, GivenOneGroupThatCannotBeMadeThenNoRankKeepsAnyAndAllLearnWhy) {
  IdleBackend mock("fast");
  PerRank prepared;
  PerRank destroyed;
  ON_CALL(mock, prepare).WillByDefault([&](MockGroup& group) {
    const uint32_t rank = group.runtime().info().places[group.rank()].world_rank;
    if (group.runtime().info().places[0].world_rank == 1)
      plugin::fail(MUSTER_RESOURCE_EXHAUSTED, "no memory");
    prepared.count(rank);
  });
  ON_CALL(mock, destroy).WillByDefault([&](MockGroup& group) {
    destroyed.count(group.runtime().info().places[group.rank()].world_rank);
  });
  const std::vector<Lists> lists = {
      {{0, 1}, {0, 3}}, {{1, 2}, {0, 1}}, {{2, 3}, {1, 2}}, {{0, 3}, {2, 3}}};
  const CapturedLog log;
  World(4).with(mock).run([&](api::Runtime& runtime, uint32_t rank) {
    const Failed refused = failure_of([&] { create_groups(runtime, requests_of(lists[rank])); });
    EXPECT_EQ(refused.code, rank == 1 || rank == 2 ? MUSTER_UNAVAILABLE : MUSTER_ABORTED);
    EXPECT_THAT(refused.cause, HasSubstr("no memory")) << rank;
  });
  EXPECT_EQ(prepared.counts(), (std::map<uint32_t, int>{{0, 2}, {1, 1}, {2, 1}, {3, 2}}));
  EXPECT_EQ(destroyed.counts(), prepared.counts());
}

}  // namespace
}  // namespace muster::testing
