#include "muster/testing/mock_backend.hpp"

#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "muster/testing/fake_host.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::Field;
using ::testing::InSequence;
using ::testing::Return;
using ::testing::StrictMock;
using ::testing::Throw;

// A mock opened the way a runtime opens a plugin.
struct Opened {
  explicit Opened(const detail::BackendMock& mock) : entry(mock.entry()) {
    EXPECT_TRUE(FakeHost::take(entry->open(host.get(), &instance)).ok());
    table = static_cast<const muster_backend*>(
        entry->get_interface(instance, MUSTER_BACKEND_INTERFACE));
  }
  ~Opened() { entry->close(instance); }
  muster_backend_group* prepare() {
    muster_backend_group* group = nullptr;
    EXPECT_TRUE(FakeHost::take(table->group_prepare(instance, host.group(), &group)).ok());
    return group;
  }
  muster_backend_group* connected() {
    muster_backend_group* const group = prepare();
    EXPECT_TRUE(FakeHost::take(table->group_connect(group)).ok());
    return group;
  }
  FakeHost host;
  const muster_entry* entry;
  muster_instance* instance = nullptr;
  const muster_backend* table = nullptr;
};

// A call that a lone rank can make without the runtime's kernels.
struct Broadcast {
  explicit Broadcast(uint64_t count) : send(count), recv(count) {
    call.struct_size = MUSTER_CALL_SIZE;
    call.op = MUSTER_BROADCAST;
    call.dtype = MUSTER_U8;
    call.count = count;
    call.send = send.data();
    call.recv = recv.data();
    for (uint64_t i = 0; i < count; ++i) send[i] = static_cast<uint8_t>(i + 1);
  }
  std::vector<uint8_t> send;
  std::vector<uint8_t> recv;
  muster_call call{};
};

TEST(MockBackend, GivenAMockThenItsEntryIsAValidPluginOfThatIdAndPriority) {
  MockBackend mock("fast", 90, 0, "2.3.4");
  const muster_entry* entry = mock.entry();
  EXPECT_EQ(entry->magic, MUSTER_PLUGIN_MAGIC);
  EXPECT_EQ(entry->struct_size, MUSTER_PLUGIN_ENTRY_SIZE);
  EXPECT_STREQ(entry->id, "fast");
  EXPECT_STREQ(entry->version, "2.3.4");
  EXPECT_STREQ(entry->build_tag, MUSTER_BUILD_TAG);
  EXPECT_STREQ(entry->interfaces, MUSTER_BACKEND_INTERFACE);
  EXPECT_EQ(mock.table()->priority, 90);
}

TEST(MockBackend, GivenAnUntouchedMockThenItOffersEverythingOnHostMemoryAndComputes) {
  MockBackend mock("fast");
  Opened plugin(mock);
  const FakeHost::Offer offer = plugin.host.offer(*plugin.table, plugin.instance, 4, {});
  ASSERT_EQ(offer.rules.size(), 1u);
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    EXPECT_TRUE((offer.rules[0].ops & MUSTER_BIT(op)) != 0) << op;
  }
  EXPECT_EQ(offer.rules[0].ops & MUSTER_BIT(MUSTER_OP_NONE), 0u);
  EXPECT_EQ(offer.rules[0].memory, MUSTER_BIT(MUSTER_HOST));

  muster_backend_group* group = plugin.connected();
  const Broadcast three(3);
  EXPECT_TRUE(FakeHost::take(plugin.table->execute(group, &three.call)).ok());
  EXPECT_EQ(three.recv, three.send);
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenASetOfRulesThenThoseAreOffered) {
  MockBackend mock("fast");
  muster_rule only = MockBackend::everything();
  only.ops = MUSTER_BIT(MUSTER_BARRIER);
  mock.offers({only, MockBackend::everything()});
  Opened plugin(mock);
  const FakeHost::Offer offer = plugin.host.offer(*plugin.table, plugin.instance, 2, {});
  ASSERT_EQ(offer.rules.size(), 2u);
  EXPECT_EQ(offer.rules[0].ops, MUSTER_BIT(MUSTER_BARRIER));
}

TEST(MockBackend, GivenCaptureThenItIsOfferedInGraphPhasesToo) {
  MockBackend mock("fast", 50, kMockCapture);
  Opened plugin(mock);
  const FakeHost::Offer offer = plugin.host.offer(*plugin.table, plugin.instance, 2, {});
  ASSERT_EQ(offer.rules.size(), 1u);
  EXPECT_NE(offer.rules[0].phases & MUSTER_BIT(MUSTER_GRAPH_CAPTURE), 0u);
}

TEST(MockBackend, GivenAGroupThatWasNotConnectedWhenItExecutesThenThatIsAStatusWithARemedy) {
  MockBackend mock("fast");
  Opened plugin(mock);
  muster_backend_group* group = plugin.prepare();
  const Broadcast three(3);
  const Outcome outcome = FakeHost::take(plugin.table->execute(group, &three.call));
  EXPECT_EQ(outcome.code, MUSTER_UNIMPLEMENTED);
  EXPECT_FALSE(outcome.remedy.empty());
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenAReductionWithoutKernelsThenItIsNamed) {
  MockBackend mock("fast");
  Opened plugin(mock);
  muster_backend_group* group = plugin.connected();
  Broadcast three(3);
  three.call.op = MUSTER_ALL_REDUCE;
  three.call.redop = MUSTER_SUM;
  const Outcome outcome = FakeHost::take(plugin.table->execute(group, &three.call));
  EXPECT_EQ(outcome.code, MUSTER_UNIMPLEMENTED);
  EXPECT_EQ(outcome.cause, "there is no kernel host_reduce/1 for u8 sum");
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenAnIdleBackendThenCallsSucceedAndMoveNothing) {
  IdleBackend mock("idle");
  Opened plugin(mock);
  muster_backend_group* group = plugin.prepare();
  const Broadcast three(3);
  EXPECT_TRUE(FakeHost::take(plugin.table->execute(group, &three.call)).ok());
  EXPECT_EQ(three.recv, std::vector<uint8_t>(3));
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenExpectationsWhenTheSlotsAreCalledThenTheMockSeesThemInOrder) {
  StrictMock<detail::BackendMock> mock("fast");
  {
    InSequence order;
    EXPECT_CALL(mock, probe).WillOnce([](plugin::Facts facts) { facts.put("device", "none"); });
    EXPECT_CALL(mock, prepare).WillOnce([](MockGroup& group) {
      EXPECT_CALL(group, connect).Times(0);
    });
    EXPECT_CALL(mock, connect).WillOnce(Return());
    EXPECT_CALL(mock, execute(_, Field(&muster_call::count, 7))).WillOnce(Return());
    EXPECT_CALL(mock, destroy);
  }
  Opened plugin(mock);
  EXPECT_EQ(plugin.host.probe(*plugin.table, plugin.instance).at("device"), "none");
  muster_backend_group* group = plugin.connected();
  const Broadcast seven(7);
  EXPECT_TRUE(FakeHost::take(plugin.table->execute(group, &seven.call)).ok());
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenPerGroupExpectationsWhenTwoGroupsRunThenEachSeesItsOwnCalls) {
  MockBackend mock("fast");
  uint64_t expected = 1;
  ON_CALL(mock, prepare).WillByDefault([&](MockGroup& group) {
    EXPECT_CALL(group, execute(Field(&muster_call::count, expected++)));
  });
  Opened plugin(mock);
  muster_backend_group* first = plugin.connected();
  muster_backend_group* second = plugin.connected();
  const Broadcast one(1);
  const Broadcast two(2);
  EXPECT_TRUE(FakeHost::take(plugin.table->execute(second, &two.call)).ok());
  EXPECT_TRUE(FakeHost::take(plugin.table->execute(first, &one.call)).ok());
  plugin.table->group_destroy(first);
  plugin.table->group_destroy(second);
}

TEST(MockBackend, GivenAThrowingMethodThenTheSlotReturnsItsStatus) {
  MockBackend mock("fast");
  ON_CALL(mock, probe)
      .WillByDefault(Throw(plugin::Failure(MUSTER_UNAVAILABLE, "no device", "plug one in")));
  ON_CALL(mock, prepare).WillByDefault(Throw(std::runtime_error("boom")));
  Opened plugin(mock);
  Outcome outcome;
  plugin.host.probe(*plugin.table, plugin.instance, &outcome);
  EXPECT_EQ(outcome.code, MUSTER_UNAVAILABLE);
  EXPECT_EQ(outcome.cause, "no device");
  EXPECT_EQ(outcome.remedy, "plug one in");

  muster_backend_group* group = nullptr;
  outcome =
      FakeHost::take(plugin.table->group_prepare(plugin.instance, plugin.host.group(), &group));
  EXPECT_EQ(outcome.code, MUSTER_INTERNAL);
  EXPECT_EQ(group, nullptr) << "an out-parameter is untouched on failure";
}

TEST(MockBackend, GivenNoOptionalSlotsThenTheyAreNullAndOthersAreThere) {
  MockBackend plain("plain");
  EXPECT_EQ(plain.table()->start, nullptr);
  EXPECT_EQ(plain.table()->execute_batch, nullptr);
  EXPECT_EQ(plain.table()->abort, nullptr);
  MockBackend full("full", 50, kMockStart | kMockBatch | kMockAbort);
  EXPECT_NE(full.table()->start, nullptr);
  EXPECT_NE(full.table()->test, nullptr);
  EXPECT_NE(full.table()->execute_batch, nullptr);
  EXPECT_NE(full.table()->abort, nullptr);
  EXPECT_EQ(full.table()->memory_register, nullptr);
}

// Starts one call, executes two as a batch.
void start_and_batch(Opened& plugin, const muster_call* calls) {
  muster_backend_group* group = plugin.connected();
  muster_request* request = nullptr;
  uint32_t done = 0;
  EXPECT_TRUE(FakeHost::take(plugin.table->start(group, calls, &request)).ok());
  ASSERT_NE(request, nullptr);
  EXPECT_TRUE(FakeHost::take(plugin.table->test(group, request, &done)).ok());
  EXPECT_EQ(done, 1u);
  EXPECT_TRUE(FakeHost::take(plugin.table->execute_batch(group, calls, 2)).ok());
  plugin.table->group_destroy(group);
}

TEST(MockBackend, GivenStartAndBatchThenTheyComputeByThemselves) {
  MockBackend mock("fast", 50, kMockStart | kMockBatch);
  EXPECT_CALL(mock, execute).Times(0);
  Opened plugin(mock);
  const Broadcast one(1);
  const Broadcast two(2);
  const muster_call calls[] = {one.call, two.call};
  start_and_batch(plugin, calls);
  EXPECT_EQ(one.recv, one.send);
  EXPECT_EQ(two.recv, two.send);
}

TEST(MockBackend, GivenAnIdleBackendThenStartAndBatchExecuteOneByOne) {
  IdleBackend mock("idle", 50, kMockStart | kMockBatch);
  EXPECT_CALL(mock, execute).Times(3);
  Opened plugin(mock);
  const Broadcast one(1);
  const muster_call calls[] = {one.call, one.call};
  start_and_batch(plugin, calls);
}

TEST(MockBackend, GivenCallsThroughEverySlotThenTheyAreRecordedInOrder) {
  MockBackend mock("fast", 50, kMockStart | kMockBatch);
  Opened plugin(mock);
  const Broadcast one(1);
  const Broadcast two(2);
  const muster_call calls[] = {one.call, two.call};
  start_and_batch(plugin, calls);
  EXPECT_THAT(mock.calls_of(0),
              Calls({Call(MUSTER_BROADCAST).count(1).send(one.send.data()),
                     Call(MUSTER_BROADCAST).count(1), Call(MUSTER_BROADCAST).count(2)}));
  EXPECT_EQ(mock.calls()[0].slot, "start");
  EXPECT_EQ(mock.calls()[1].slot, "execute_batch");
  EXPECT_TRUE(mock.calls_of(1).empty());
  mock.forget_calls();
  EXPECT_TRUE(mock.calls().empty());
}

TEST(MockBackend, GivenManyMocksAtOnceThenEachEntryOpensItsOwn) {
  std::vector<std::unique_ptr<MockBackend>> mocks;
  std::set<const void*> opens;
  for (size_t i = 0; i < kMaxMocks; ++i) {
    mocks.push_back(std::make_unique<MockBackend>("mock" + std::to_string(i)));
    opens.insert(reinterpret_cast<const void*>(mocks.back()->entry()->open));
  }
  EXPECT_EQ(opens.size(), kMaxMocks);
  EXPECT_CALL(*mocks[5], probe);
  EXPECT_CALL(*mocks[6], probe).Times(0);
  Opened plugin(*mocks[5]);
  plugin.host.probe(*plugin.table, plugin.instance);
  EXPECT_THROW(MockBackend("one_too_many"), std::runtime_error);
}

TEST(MockBackend, GivenADestroyedMockWhenItsEntryIsOpenedThenThatIsAStatus) {
  auto mock = std::make_unique<MockBackend>("gone");
  const muster_entry* entry = mock->entry();
  mock.reset();
  FakeHost host;
  muster_instance* instance = nullptr;
  const Outcome outcome = FakeHost::take(entry->open(host.get(), &instance));
  EXPECT_EQ(outcome.code, MUSTER_INTERNAL);
  EXPECT_EQ(instance, nullptr);
}

TEST(MockBackend, GivenAnIdThatDoesNotFitThenConstructionThrowsAndTakesNoPlace) {
  for (size_t i = 0; i <= kMaxMocks; ++i) {
    EXPECT_THROW(MockBackend(std::string(64, 'x')), std::length_error);
  }
  EXPECT_NO_THROW(MockBackend("fits"));
}

}  // namespace
}  // namespace muster::testing
