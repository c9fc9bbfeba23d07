// What mocks do by default, through the public API: right results, whatever is called and however,
// and causes that name the rank when ranks differ.
#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <thread>

#include "muster/testing/world.hpp"
#include "tests/ranks/runner.hpp"
#include "tests/ranks/selection.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::AnyNumber;
using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20240601;

struct Kind {
  uint32_t ranks;
  uint32_t slots;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.ranks << " ranks"; }
class Computing : public ::testing::TestWithParam<Kind> {};

TEST_P(Computing, GivenEveryOperationDtypeAndReductionThenTheResultsAreTheReferences) {
  MockBackend mock("mock", 50, GetParam().slots);
  World(GetParam().ranks).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    ranks::Runner runner(group.get());
    for (ranks::Case c : ranks::pairwise_cases(group.size(), kSeed)) {
      if (c.elements() > 100000) continue;
      const ranks::Outcome outcome = runner.run(c);
      ASSERT_EQ(outcome.failure, "") << "rank " << rank << ": " << ranks::text_of(c);
      ASSERT_EQ(outcome.wrong.count, 0u)
          << "rank " << rank << ": " << outcome.wrong.first << "; " << ranks::text_of(c);
      if (!outcome.backend.empty()) {
        ASSERT_EQ(outcome.backend, "mock") << ranks::text_of(c);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Worlds, Computing,
                         ::testing::Values(Kind{2, kMockBatch}, Kind{3, kMockBatch | kMockStart}),
                         [](const auto& info) { return std::to_string(info.param.ranks); });

class Differing : public ::testing::Test {
 protected:
  // The cause on each rank of a call that rank 1 makes in another way.
  std::string cause(const std::function<void(api::Group&)>& usual,
                    const std::function<void(api::Group&)>& other) {
    MockBackend mock("mock");
    const World world = World(2).with(mock);
    std::string all;
    for (const RankFailure& failure : world.failures_of([&](api::Runtime&runtime, uint32_t rank) {
           api::Group group(runtime);
           rank == 1 ? other(group) : usual(group);
         })) {
      all += std::to_string(failure.rank) + ": " + failure.text + "\n";
    }
    return all;
  }
  std::array<int32_t, 8> in_{};
  std::array<std::array<int32_t, 8>, 2> out_{};
};

TEST_F(Differing, GivenRanksThatMakeDifferentCallsThenAllOfThemHearWhichRankAndWhat) {
  const auto sum = [&](uint64_t count, uint32_t root) {
    return [this, count, root](api::Group& group) {
      group.reduce(in_.data(), out_[group.rank()].data(), count, MUSTER_SUM, root);
    };
  };
  const std::string counts = cause(sum(8, 0), sum(4, 0));
  EXPECT_THAT(counts, HasSubstr("0: "));
  EXPECT_THAT(counts, HasSubstr("1: "));
  EXPECT_THAT(counts, HasSubstr("rank 1 has count 4 where rank 0 has 8"));
  EXPECT_THAT(cause(sum(8, 0), sum(8, 1)), HasSubstr("rank 1 has root 1 where rank 0 has 0"));
  EXPECT_THAT(cause(sum(8, 0), [](api::Group& group) { group.barrier(); }),
              HasSubstr("rank 1 has operation barrier where rank 0 has reduce"));
}

TEST_F(Differing, GivenMessagesOfDifferentSizeThenBothEndsHearIt) {
  const std::string found = cause([&](api::Group& group) { group.send(in_.data(), 4, 1); },
                                  [&](api::Group& group) { group.recv(out_[1].data(), 2, 0); });
  EXPECT_THAT(found, HasSubstr("0: "));
  EXPECT_THAT(found, HasSubstr("rank 0 sends 16 bytes to rank 1, which takes 8"));
}

TEST_F(Differing, GivenARankThatLeavesThenTheOthersDoNotWaitForIt) {
  const std::string found = cause([](api::Group& group) { group.barrier(); }, [](api::Group&) {});
  EXPECT_THAT(found, HasSubstr("0: "));
  EXPECT_THAT(found, HasSubstr("rank 1"));
}

TEST_F(Differing, GivenARankThatHasLeftThenMessagesAmongTheOthersGoOn) {
  MockBackend mock("mock");
  World(3).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    if (rank == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    int32_t data = static_cast<int32_t>(rank);
    if (rank == 1) group.send(&data, 1, 2);
    if (rank == 2) group.recv(&data, 1, 1);
    EXPECT_EQ(data, 1);
    EXPECT_THROW(group.recv(&data, 1, 0), api::Error);
  });
}

TEST(Mocks, GivenTwoMocksThenEachServesWhatItOffersAndRecordsIt) {
  MockBackend sums("sums", 90);
  MockBackend moves("moves", 10);
  muster_rule rule = MockBackend::everything();
  rule.ops = MUSTER_BIT(MUSTER_ALL_REDUCE);
  sums.offers({rule});
  World(3).with(sums).with(moves).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    std::vector<float> mine(4, static_cast<float>(rank));
    std::vector<float> sum(4);
    group.all_reduce(mine, sum, MUSTER_SUM);
    EXPECT_EQ(sum, std::vector<float>(4, 3.0f));
    std::vector<float> all(12);
    group.all_gather(mine, all);
    EXPECT_EQ(all[4], 1.0f);
  });
  for (uint32_t rank = 0; rank < 3; ++rank) {
    EXPECT_THAT(sums.calls_of(rank),
                Calls({Call(MUSTER_ALL_REDUCE).dtype(MUSTER_F32).redop(MUSTER_SUM).count(4)}));
    EXPECT_THAT(moves.calls_of(rank), Calls({Call(MUSTER_ALL_GATHER).count(4)}));
  }
}

TEST(Mocks, GivenTwoWorldsAtOnceOnOneMockThenTheyDoNotMeet) {
  MockBackend mock("mock");
  const auto run = [&](int32_t value) {
    World(2).with(mock).run([&](api::Runtime& runtime, uint32_t) {
      api::Group group(runtime);
      for (int i = 0; i < 50; ++i) {
        int32_t sum = 0;
        group.all_reduce(&value, &sum, 1, MUSTER_SUM);
        ASSERT_EQ(sum, 2 * value);
      }
    });
  };
  std::thread one(run, 1);
  run(1000);
  one.join();
}

TEST(Mocks, GivenAnActionThatSpoilsARankThenTheOthersAreRight) {
  MockBackend mock("mock");
  EXPECT_CALL(mock, execute).Times(AnyNumber());
  EXPECT_CALL(mock, execute(OnRank(1), Call(MUSTER_ALL_REDUCE)))
      .WillOnce([](MockGroup& group, const muster_call& call) {
        group.carry_out(call);
        static_cast<int32_t*>(call.recv)[0] += 1;
      });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    const int32_t one = 1;
    int32_t sum = 0;
    group.all_reduce(&one, &sum, 1, MUSTER_SUM);
    EXPECT_EQ(sum, rank == 1 ? 3 : 2);
  });
}

}  // namespace
}  // namespace muster::testing
