// What explain and muster_group_backend say is what then happens: random calls on random offers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/names.hpp"
#include "tests/unit/agree/recorder.hpp"

namespace muster::testing {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kBackends = 4;
uint64_t counts[] = {3, 5};
char buffers[2][1 << 16];

std::vector<muster_rule> random_rules(std::mt19937_64& random) {
  std::vector<muster_rule> rules;
  for (uint64_t r = 0; r < 1 + random() % 4; ++r) {
    muster_rule rule = MockBackend::everything();
    rule.ops &= random() | random();
    if (rule.ops == 0) rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
    rule.dtypes &= random() | random();
    if (random() % 2 == 0) {
      rule.bytes_from = random() % 4096;
      rule.bytes_to = rule.bytes_from + random() % 8192;
    }
    if (random() % 3 == 0) rule.bytes_multiple = 1 + random() % 8;
    if (random() % 4 == 0) rule.place = static_cast<uint32_t>(random() % 3);
    if (random() % 5 == 0) rule.flags = 0;
    rule.score = static_cast<int32_t>(random() % 5);
    rules.push_back(rule);
  }
  return rules;
}

// The same on every rank.
muster_call random_call(std::mt19937_64& random) {
  const muster_op ops[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE,          MUSTER_REDUCE_SCATTER,
                           MUSTER_BROADCAST,  MUSTER_ALL_GATHER,      MUSTER_ALL_GATHERV,
                           MUSTER_GATHER,     MUSTER_GATHERV,         MUSTER_SCATTER,
                           MUSTER_ALL_TO_ALL, MUSTER_REDUCE_SCATTERV, MUSTER_SEND_RECV,
                           MUSTER_BARRIER};
  const muster_op op = ops[random() % std::size(ops)];
  muster_call call = muster_call_init(op, 1 + static_cast<muster_dtype>(random() % 15));
  call.redop = op_reduces(op) ? 1 + static_cast<muster_redop>(random() % 5) : 0;
  call.send = buffers[0];
  call.recv = random() % 3 == 0 && op == MUSTER_ALL_REDUCE ? buffers[0] : buffers[1];
  call.count = random() % 3 == 0 ? random() % 16 : random() % 2000;
  call.recv_count = call.count;
  call.recv_counts = counts;
  if (op == MUSTER_GATHERV) call.max_bytes = random() % 2 == 0 ? 0 : random() % 4096;
  return call;
}

class DispatchAgrees : public ::testing::TestWithParam<uint64_t> {};

TEST_P(DispatchAgrees, GivenRandomCallsThenAnswerNameExecutionAndCountersAreOne) {
  const CapturedLog log;
  std::mt19937_64 random(GetParam());
  std::vector<std::unique_ptr<IdleBackend>> mocks;
  // What executed last on each rank: the whole calls, and the parts of compositions.
  std::mutex mutex;
  std::map<uint32_t, std::vector<std::pair<std::string, muster_op>>> executed;
  World world(2);
  for (uint32_t b = 0; b < kBackends; ++b) {
    const std::string id(1, static_cast<char>('a' + b));
    mocks.push_back(std::make_unique<IdleBackend>(id, static_cast<int32_t>(random() % 3)));
    ON_CALL(*mocks.back(), offer)
        .WillByDefault([rules = random_rules(random)](plugin::Query query) {
          for (const muster_rule& rule : rules) query.add(rule);
        });
    ON_CALL(*mocks.back(), execute)
        .WillByDefault([&, id](MockGroup& group, const muster_call& call) {
          const std::lock_guard lock(mutex);
          executed[group.rank()].emplace_back(id, call.op);
        });
    world.with(*mocks.back());
  }
  const uint64_t seed = random();
  world.run([&](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    std::mt19937_64 calls(seed);
    for (int i = 0; i < 300; ++i) {
      muster_call call = random_call(calls);
      call.peer = call.recv_peer = 1 - rank;
      if (call.op == MUSTER_GATHERV) call.count = counts[rank];
      const Json json = Json::parse(group.explain(call, true));
      {
        const std::lock_guard lock(mutex);
        executed[rank].clear();
      }
      const Failed asked = failure_of([&] { group.backend(call); });
      if (json["answer"].is_null()) {
        EXPECT_EQ(asked.code, MUSTER_UNAVAILABLE) << json["call"];
        EXPECT_EQ(failure_of([&] { group.execute(call); }).code, MUSTER_UNAVAILABLE);
        EXPECT_TRUE(executed[rank].empty());
        continue;
      }
      const std::string answer = json["answer"];
      const std::string name = group.backend(call);
      if (answer.find("composed(") == 0) {
        EXPECT_EQ(name.find("composed("), 0u) << answer;
        continue;  // mocks move no data, and compositions of counts need it
      }
      EXPECT_EQ(name, answer) << json["call"];
      group.execute(call);
      const std::lock_guard lock(mutex);
      ASSERT_EQ(executed[rank].size(), 1u) << json["call"];
      EXPECT_EQ(executed[rank][0].first, answer);
      EXPECT_EQ(executed[rank][0].second, call.op);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Seeds, DispatchAgrees, ::testing::Range<uint64_t>(1, 9));

TEST(ExplainGroup, GivenACallWithoutBuffersThenTheQuestionIsAboutOneOutOfPlaceOnEveryRank) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.place = MUSTER_PLACE_OUT;
    query.add(rule);
  });
  World(3).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER}) {
      for (const uint64_t count : {uint64_t{1}, uint64_t{2}, uint64_t{1000}}) {
        muster_call call = muster_call_init(op, MUSTER_U8);
        call.redop = op_reduces(op) ? MUSTER_MAX : MUSTER_REDOP_NONE;
        call.count = count;
        EXPECT_EQ(Json::parse(group.explain(call, true))["answer"], "fast")
            << op_name(op) << " " << count;
      }
    }
  });
}

TEST(ExplainGroup, GivenACallThatIsWrongThenTheQuestionIsRefusedLikeTheCall) {
  IdleBackend mock("fast");
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_F32);
    call.redop = MUSTER_BXOR;
    EXPECT_EQ(failure_of([&] { group.explain(call); }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(failure_of([&] { group.backend(call); }).code, MUSTER_INVALID_ARGUMENT);
  });
}

TEST(ExplainGroup, GivenACompositionThenItsNameTellsWhoServesItsParts) {
  IdleBackend mock("fast");
  ON_CALL(mock, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = MockBackend::everything();
    rule.ops = MUSTER_BIT(MUSTER_ALL_GATHER);
    query.add(rule);
  });
  World(2).with(mock).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    muster_call call = muster_call_init(MUSTER_GATHER, MUSTER_U8);
    call.send = buffers[0];
    call.recv = buffers[1];
    call.count = 1;
    EXPECT_EQ(group.backend(call), "composed(fast)");
    EXPECT_EQ(Json::parse(group.explain(call, true))["answer"], "composed(fast)");
    call.op = MUSTER_REDUCE;  // of a composition
    call.redop = MUSTER_SUM;
    EXPECT_EQ(group.backend(call), "composed(all_reduce)");
  });
}

}  // namespace
}  // namespace muster::testing
