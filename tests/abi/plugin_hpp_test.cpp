// muster/plugin.hpp: what becomes of exceptions and of members that a group class lacks.
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "muster/plugin.hpp"
#include "muster/testing/fake_host.hpp"

namespace {

using muster::plugin::fail;
using muster::testing::FakeHost;
using muster::testing::Outcome;

struct PlainGroup {
  void connect() {}
  void execute(const muster_call& call) {
    switch (call.count) {
      case 1:
        fail(MUSTER_PEER_LOST, "rank 3 is gone", "start it again");
      case 2:
        throw std::runtime_error("boom");
      case 3:
        throw std::bad_alloc();
      case 4:
        throw 42;
      case 5:
        muster::plugin::check(runtime.host().get()->status_make(
            runtime.host().get(), MUSTER_ABORTED, "from the runtime", nullptr));
        break;
      default:
        break;
    }
  }
  muster::plugin::Group runtime;
};

struct PlainBackend {
  static constexpr int32_t kPriority = 42;
  explicit PlainBackend(muster::plugin::Host runtime) : host(runtime) {
    if (host.option("refuse") == "yes") fail(MUSTER_UNAVAILABLE, "refused");
  }
  void probe(muster::plugin::Facts facts) {
    if (host.option("probe") == "no") fail(MUSTER_UNAVAILABLE, "no device");
    facts.put("seen", "1");
  }
  void offer(muster::plugin::Query query) {
    muster_rule rule = muster::plugin::rule("only", MUSTER_BIT(MUSTER_BARRIER));
    rule.ranks_to = query.size();
    query.add(rule);
    query.decline("the rest of " + query.fact(0, "seen"));
  }
  std::unique_ptr<PlainGroup> prepare(muster::plugin::Group group) {
    if (host.option("prepare") == "no") throw std::logic_error("cannot");
    return std::unique_ptr<PlainGroup>(new PlainGroup{group});
  }
  muster::plugin::Host host;
};

// Has every optional member and an option.
struct FullGroup {
  void connect() {}
  void execute(const muster_call&) {}
  muster_request* start(const muster_call&) { return reinterpret_cast<muster_request*>(this); }
  bool test(muster_request*) { return true; }
  void execute_batch(const muster_call*, uint32_t) {}
  void* memory_register(void* pointer, uint64_t, muster_memory) { return pointer; }
  void memory_deregister(void*) {}
  void capture_begin(muster_phase) {}
  void capture_end(bool) {}
  void async_error() { fail(MUSTER_ABORTED, "late"); }
  void abort() {}
};
struct FullBackend {
  static constexpr int32_t kPriority = 1;
  static constexpr muster_option kOptions[] = {
      muster::plugin::option("limit", MUSTER_OPTION_BYTES, "1024", "the limit", 1, 4096)};
  explicit FullBackend(muster::plugin::Host) {}
  void probe(muster::plugin::Facts) {}
  void offer(muster::plugin::Query) {}
  std::unique_ptr<FullGroup> prepare(muster::plugin::Group) {
    return std::make_unique<FullGroup>();
  }
  const void* interface(const char* name) {
    return std::strcmp(name, "example/1") == 0 ? this : nullptr;
  }
};

MUSTER_PLUGIN_RECORD(plain_entry, PlainBackend, PlainGroup, "plain", "1.2.3", "Example",
                     MUSTER_BACKEND_INTERFACE, "A B", "/a /b");
MUSTER_PLUGIN_RECORD(full_entry, FullBackend, FullGroup, "full", "1", "Example",
                     MUSTER_BACKEND_INTERFACE " example/1", "", "");

class PluginHpp : public ::testing::Test {
 protected:
  ~PluginHpp() override {
    if (instance_ != nullptr) entry_->close(instance_);
    EXPECT_EQ(FakeHost::live_statuses(), live_before_) << "a status leaked";
  }
  const muster_backend* open(const muster_entry& entry) {
    entry_ = &entry;
    EXPECT_TRUE(FakeHost::take(entry.open(host_.get(), &instance_)).ok());
    return static_cast<const muster_backend*>(
        entry.get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  }
  Outcome execute(const muster_backend* backend, uint64_t count) {
    muster_backend_group* group = nullptr;
    EXPECT_TRUE(FakeHost::take(backend->group_prepare(instance_, host_.group(), &group)).ok());
    muster_call call{};
    call.struct_size = MUSTER_CALL_SIZE;
    call.count = count;
    Outcome outcome = FakeHost::take(backend->execute(group, &call));
    backend->group_destroy(group);
    return outcome;
  }

  const int live_before_ = FakeHost::live_statuses();
  FakeHost host_;
  const muster_entry* entry_ = nullptr;
  muster_instance* instance_ = nullptr;
};

TEST_F(PluginHpp, GivenARecordThenTheEntryHoldsWhatItNames) {
  EXPECT_EQ(plain_entry.magic, MUSTER_PLUGIN_MAGIC);
  EXPECT_EQ(plain_entry.struct_size, MUSTER_PLUGIN_ENTRY_SIZE);
  EXPECT_EQ(plain_entry.abi_minor, static_cast<uint32_t>(MUSTER_ABI_MINOR));
  EXPECT_STREQ(plain_entry.id, "plain");
  EXPECT_STREQ(plain_entry.version, "1.2.3");
  EXPECT_STREQ(plain_entry.probe_env, "A B");
  EXPECT_STREQ(plain_entry.probe_files, "/a /b");
  EXPECT_EQ(open(plain_entry)->priority, 42);
}

TEST_F(PluginHpp, GivenNoFailureThenTheSlotReturnsNull) {
  EXPECT_TRUE(execute(open(plain_entry), 0).ok());
}

TEST_F(PluginHpp, GivenAFailureWithACodeThenCodeCauseAndRemedyArrive) {
  const Outcome outcome = execute(open(plain_entry), 1);
  EXPECT_EQ(outcome.code, MUSTER_PEER_LOST);
  EXPECT_EQ(outcome.cause, "rank 3 is gone");
  EXPECT_EQ(outcome.remedy, "start it again");
}

TEST_F(PluginHpp, GivenAnyOtherExceptionThenItIsInternalWithItsText) {
  const Outcome outcome = execute(open(plain_entry), 2);
  EXPECT_EQ(outcome.code, MUSTER_INTERNAL);
  EXPECT_EQ(outcome.cause, "boom");
}

TEST_F(PluginHpp, GivenBadAllocThenItIsResourceExhausted) {
  EXPECT_EQ(execute(open(plain_entry), 3).code, MUSTER_RESOURCE_EXHAUSTED);
}

TEST_F(PluginHpp, GivenAThrownNumberThenItIsInternal) {
  EXPECT_EQ(execute(open(plain_entry), 4).code, MUSTER_INTERNAL);
}

TEST_F(PluginHpp, GivenAStatusOfTheRuntimeThenItPassesUntouched) {
  const Outcome outcome = execute(open(plain_entry), 5);
  EXPECT_EQ(outcome.code, MUSTER_ABORTED);
  EXPECT_EQ(outcome.cause, "from the runtime");
}

TEST_F(PluginHpp, GivenAThrowingConstructorThenOpenFailsAndLeavesTheOutParameter) {
  host_.set_option("refuse", "yes");
  muster_instance* instance = nullptr;
  EXPECT_EQ(FakeHost::take(plain_entry.open(host_.get(), &instance)).code, MUSTER_UNAVAILABLE);
  EXPECT_EQ(instance, nullptr);
  plain_entry.close(nullptr);
}

TEST_F(PluginHpp, GivenAThrowingPrepareThenTheOutParameterIsUntouched) {
  host_.set_option("prepare", "no");
  const muster_backend* backend = open(plain_entry);
  muster_backend_group* group = nullptr;
  EXPECT_EQ(FakeHost::take(backend->group_prepare(instance_, host_.group(), &group)).code,
            MUSTER_INTERNAL);
  EXPECT_EQ(group, nullptr);
  backend->group_destroy(nullptr);
}

TEST_F(PluginHpp, GivenAProbeThenItsFactsReachTheSinkAndItsFailureIsAStatus) {
  const muster_backend* backend = open(plain_entry);
  EXPECT_EQ(host_.probe(*backend, instance_).at("seen"), "1");
  host_.set_option("probe", "no");
  Outcome outcome;
  host_.probe(*backend, instance_, &outcome);
  EXPECT_EQ(outcome.code, MUSTER_UNAVAILABLE);
}

TEST_F(PluginHpp, GivenAnOfferThenRulesAndReasonsReachTheQuery) {
  const muster_backend* backend = open(plain_entry);
  const FakeHost::Offer offer = host_.offer(*backend, instance_, 6, {{"seen", "1"}});
  ASSERT_EQ(offer.rules.size(), 1u);
  EXPECT_EQ(offer.rules[0].struct_size, MUSTER_RULE_SIZE);
  EXPECT_EQ(offer.rules[0].ranks_to, 6u);
  EXPECT_STREQ(offer.rules[0].name, "only");
  ASSERT_EQ(offer.declined.size(), 1u);
  EXPECT_EQ(offer.declined[0], "the rest of 1");
}

TEST_F(PluginHpp, GivenAGroupClassWithoutOptionalMembersThenTheirSlotsAreNull) {
  const muster_backend* backend = open(plain_entry);
  EXPECT_EQ(backend->start, nullptr);
  EXPECT_EQ(backend->test, nullptr);
  EXPECT_EQ(backend->execute_batch, nullptr);
  EXPECT_EQ(backend->memory_register, nullptr);
  EXPECT_EQ(backend->memory_deregister, nullptr);
  EXPECT_EQ(backend->capture_begin, nullptr);
  EXPECT_EQ(backend->capture_end, nullptr);
  EXPECT_EQ(backend->async_error, nullptr);
  EXPECT_EQ(backend->abort, nullptr);
  EXPECT_EQ(backend->option_count, 0u);
}

TEST_F(PluginHpp, GivenAGroupClassWithOptionalMembersThenTheirSlotsCallThem) {
  const muster_backend* backend = open(full_entry);
  ASSERT_NE(backend->start, nullptr);
  ASSERT_NE(backend->execute_batch, nullptr);
  ASSERT_NE(backend->memory_register, nullptr);
  ASSERT_NE(backend->capture_begin, nullptr);
  ASSERT_NE(backend->capture_end, nullptr);
  ASSERT_NE(backend->async_error, nullptr);
  ASSERT_NE(backend->abort, nullptr);
  ASSERT_EQ(backend->option_count, 1u);
  EXPECT_STREQ(backend->options[0].name, "limit");
  EXPECT_EQ(backend->options[0].maximum, 4096);

  muster_backend_group* group = nullptr;
  ASSERT_TRUE(FakeHost::take(backend->group_prepare(instance_, host_.group(), &group)).ok());
  muster_call call{};
  muster_request* request = nullptr;
  uint32_t done = 0;
  EXPECT_TRUE(FakeHost::take(backend->start(group, &call, &request)).ok());
  EXPECT_TRUE(FakeHost::take(backend->test(group, request, &done)).ok());
  EXPECT_EQ(done, 1u);
  int buffer = 0;
  void* registration = nullptr;
  EXPECT_TRUE(
      FakeHost::take(backend->memory_register(group, &buffer, 4, MUSTER_HOST, &registration)).ok());
  EXPECT_EQ(registration, &buffer);
  EXPECT_EQ(FakeHost::take(backend->async_error(group)).code, MUSTER_ABORTED);
  backend->group_destroy(group);
}

TEST_F(PluginHpp, GivenFurtherInterfacesThenOnlyTheNamedOnesAreGiven) {
  open(full_entry);
  EXPECT_NE(full_entry.get_interface(instance_, "example/1"), nullptr);
  EXPECT_EQ(full_entry.get_interface(instance_, "example/2"), nullptr);
}

// What crosses the boundary says in its type that nothing leaves it.
TEST(PluginHppBoundary, GivenTheFunctionsBehindTheTablesThenNoneMayThrow) {
  using Tables = muster::plugin::detail::Tables<FullBackend, FullGroup>;
  static_assert(noexcept(Tables::open(nullptr, nullptr)));
  static_assert(noexcept(Tables::close(nullptr)));
  static_assert(noexcept(Tables::probe(nullptr, nullptr)));
  static_assert(noexcept(Tables::execute(nullptr, nullptr)));
  static_assert(noexcept(Tables::execute_batch(nullptr, nullptr, 0)));
  static_assert(noexcept(Tables::destroy(nullptr)));
  static_assert(noexcept(Tables::get_interface(nullptr, nullptr)));
}

}  // namespace
