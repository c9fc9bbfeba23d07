// Several calls as one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/dispatch/mocked_group.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

muster_call message_of(muster_op op, uint32_t peer, uint64_t count = 1,
                       muster_dtype dtype = MUSTER_I32) {
  muster_call call = muster_call_init(op, dtype);
  call.send = data;
  call.recv = data + 32;
  call.count = count;
  call.peer = peer;
  return call;
}
muster_rule only(uint64_t ops) {
  muster_rule rule = MockBackend::everything();
  rule.ops = ops;
  return rule;
}
constexpr uint64_t kMessages =
    MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV);

TEST(Batch, GivenABackendThatBatchesThenItGetsAllCallsAtOnceMessagesLast) {
  IdleBackend mock("fast", 50, kMockBatch);
  EXPECT_CALL(mock, execute).Times(0);
  EXPECT_CALL(mock, execute_batch(_, _, 3))
      .Times(2)
      .WillRepeatedly([](MockGroup& group, const muster_call* calls, uint32_t) {
        EXPECT_EQ(calls[0].op, uint32_t{MUSTER_ALL_REDUCE});
        EXPECT_EQ(calls[0].selection_bytes, 20u);
        EXPECT_EQ(calls[1].op, uint32_t{MUSTER_SEND});
        EXPECT_EQ(calls[1].peer, 1 - group.rank());
        EXPECT_EQ(calls[2].op, uint32_t{MUSTER_RECV});
      });
  with_group(2, mock, [](api::Group& group) {
    const muster_call calls[] = {message_of(MUSTER_SEND, 1 - group.rank()),
                                 message_of(MUSTER_RECV, 1 - group.rank()), reduce_of(5)};
    group.batch(calls, 3);
    group.batch(nullptr, 0);
  });
}

TEST(Batch, GivenMessagesToOneselfThenTheyAreABatchsBusiness) {
  IdleBackend mock("fast", 50, kMockBatch);
  EXPECT_CALL(mock, execute_batch(_, _, 2)).Times(2);
  with_group(2, mock, [](api::Group& group) {
    const muster_call calls[] = {message_of(MUSTER_SEND, group.rank()),
                                 message_of(MUSTER_RECV, group.rank())};
    group.batch(calls, 2);
  });
}

TEST(Batch, GivenABackendThatDoesNotBatchThenCollectivesRunInOrderAndMessagesAreRefused) {
  IdleBackend mock("plain");
  std::mutex mutex;
  std::vector<uint64_t> seen;
  ON_CALL(mock, execute).WillByDefault([&](MockGroup& group, const muster_call& call) {
    if (group.rank() != 0) return;
    const std::lock_guard lock(mutex);
    seen.push_back(call.count);
  });
  with_group(2, mock, [](api::Group& group) {
    const muster_call collectives[] = {reduce_of(3), reduce_of(1), reduce_of(2)};
    group.batch(collectives, 3);
    const uint32_t peer = 1 - group.rank();
    const muster_call messages[] = {message_of(MUSTER_SEND, peer), message_of(MUSTER_RECV, peer)};
    const Failed failed = failure_of([&] { group.batch(messages, 2); });
    EXPECT_EQ(failed.code, MUSTER_UNIMPLEMENTED);
    EXPECT_THAT(failed.cause, HasSubstr("backend plain of group group cannot run the 2 messages"));
    EXPECT_THAT(failed.remedy, HasSubstr("muster_send_recv"));
    group.batch(messages, 1);  // one waits for nobody of the batch
  });
  EXPECT_EQ(seen, (std::vector<uint64_t>{3, 1, 2, 1}));
}

TEST(Batch, GivenTwoBackendsThenEachGetsItsOwnCallsAndMessagesComeLast) {
  IdleBackend reduces("reduces", 90, kMockBatch);
  IdleBackend moves("moves", 10, kMockBatch);
  ON_CALL(reduces, offer).WillByDefault([](plugin::Query query) {
    query.add(only(MUSTER_BIT(MUSTER_ALL_REDUCE)));
  });
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto note = [&](const char* who) {
    return [&, who](MockGroup& group, const muster_call*, uint32_t count) {
      if (group.rank() != 0) return;
      const std::lock_guard lock(mutex);
      seen.push_back(who + std::to_string(count));
    };
  };
  ON_CALL(reduces, execute_batch).WillByDefault(note("reduces"));
  ON_CALL(moves, execute_batch).WillByDefault(note("moves"));
  World(2).with(reduces).with(moves).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    const uint32_t peer = 1 - group.rank();
    const muster_call calls[] = {message_of(MUSTER_SEND, peer), reduce_of(1),
                                 message_of(MUSTER_RECV, peer), reduce_of(2)};
    group.batch(calls, 4);
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"reduces2", "moves2"}));
}

TEST(Batch, GivenMessagesOfTwoBackendsThenTheyAreRefusedForTheyCouldWaitForEachOther) {
  IdleBackend bytes("bytes", 90, kMockBatch);
  IdleBackend rest("rest", 10, kMockBatch);
  ON_CALL(bytes, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = only(kMessages);
    rule.dtypes = MUSTER_BIT(MUSTER_U8);
    query.add(rule);
  });
  EXPECT_CALL(bytes, execute_batch).Times(0);
  EXPECT_CALL(rest, execute_batch).Times(0);
  World(2).with(bytes).with(rest).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    const uint32_t peer = 1 - group.rank();
    const muster_call calls[] = {message_of(MUSTER_SEND, peer, 1, MUSTER_U8),
                                 message_of(MUSTER_RECV, peer, 1, MUSTER_I32)};
    EXPECT_EQ(failure_of([&] { group.batch(calls, 2); }).code, MUSTER_UNIMPLEMENTED);
  });
}

TEST(Batch, GivenMessagesThatAreComposedThenSeveralAreRefused) {
  IdleBackend bytes("bytes", 90, kMockBatch);
  ON_CALL(bytes, offer).WillByDefault([](plugin::Query query) {
    muster_rule rule = only(kMessages);
    rule.dtypes = MUSTER_BIT(MUSTER_U8);
    query.add(rule);
  });
  EXPECT_CALL(bytes, execute).Times(2);
  with_group(2, bytes, [](api::Group& group) {
    const uint32_t peer = 1 - group.rank();
    const muster_call calls[] = {message_of(MUSTER_SEND, peer), message_of(MUSTER_RECV, peer)};
    const Failed failed = failure_of([&] { group.batch(calls, 2); });
    EXPECT_EQ(failed.code, MUSTER_UNIMPLEMENTED);
    EXPECT_THAT(failed.cause, HasSubstr("a composition of group group"));
    group.batch(calls, 1);
  });
}

TEST(Batch, GivenOneWrongCallThenNoneOfTheBatchIsExecutedAndItIsNamed) {
  IdleBackend mock("fast", 50, kMockBatch);
  EXPECT_CALL(mock, execute_batch).Times(0);
  with_group(2, mock, [](api::Group& group) {
    const muster_call calls[] = {reduce_of(1), reduce_of(UINT64_MAX)};
    const Failed failed = failure_of([&] { group.batch(calls, 2); });
    EXPECT_EQ(failed.code, MUSTER_OUT_OF_RANGE);
    EXPECT_THAT(failed.cause, HasSubstr("call 1 of the batch: "));
  });
}

TEST(Batch, GivenABatchThatFailsThenTheGroupIsBroken) {
  const CapturedLog log;
  IdleBackend mock("fast", 50, kMockBatch);
  ON_CALL(mock, execute_batch).WillByDefault([](MockGroup&, const muster_call*, uint32_t) {
    plugin::fail(MUSTER_PEER_LOST, "rank 1 died");
  });
  with_group(2, mock, [](api::Group& group) {
    const muster_call calls[] = {reduce_of(1), reduce_of(2)};
    EXPECT_EQ(failure_of([&] { group.batch(calls, 2); }).code, MUSTER_PEER_LOST);
    EXPECT_EQ(failure_of([&] { group.batch(calls, 2); }).code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(failure_of([&] { group.execute(reduce_of(1)); }).code, MUSTER_FAILED_PRECONDITION);
  });
}

}  // namespace
}  // namespace muster::testing
