#include "muster/testing/fake_host.hpp"

#include <gtest/gtest.h>

#include "muster/plugin.hpp"

namespace muster::testing {
namespace {

TEST(FakeHost, GivenAStatusWhenTakenThenItIsReadAndReleased) {
  FakeHost host;
  const int before = FakeHost::live_statuses();
  muster_status* status = host.get()->status_make(host.get(), MUSTER_NOT_FOUND, "cause", nullptr);
  EXPECT_EQ(FakeHost::live_statuses(), before + 1);
  EXPECT_EQ(host.get()->status_code(status), MUSTER_NOT_FOUND);
  const Outcome outcome = FakeHost::take(status);
  EXPECT_EQ(outcome.code, MUSTER_NOT_FOUND);
  EXPECT_EQ(outcome.cause, "cause");
  EXPECT_EQ(outcome.remedy, "");
  EXPECT_EQ(FakeHost::live_statuses(), before);
}

TEST(FakeHost, GivenOptionsThenTheGroupsOwnGoFirst) {
  FakeHost host;
  host.set_option("a", "1");
  host.set_option("b", "2");
  host.set_group_option("a", "3");
  const plugin::Group group(host.get(), host.group());
  EXPECT_EQ(group.option("a"), "3");
  EXPECT_EQ(group.option("b"), "2");
  EXPECT_EQ(plugin::Host(host.get()).option("a"), "1");
  EXPECT_EQ(host.get()->option(host.get(), "c"), nullptr);
}

TEST(FakeHost, GivenALoneRankThenExchangesGiveItsOwnBytesAndWaitsEnd) {
  FakeHost host;
  const plugin::Group group(host.get(), host.group());
  EXPECT_EQ(group.size(), 1u);
  int in = 5;
  int out = 0;
  group.all_gather(&in, sizeof(in), &out);
  EXPECT_EQ(out, 5);
  muster_wait_word word{};
  group.signal(&word, 1);
  group.wait(&word, 1, 0);
  try {
    group.wait(&word, 2, 0);
    FAIL() << "nobody will write 2";
  } catch (const plugin::HostFailure& failure) {
    EXPECT_EQ(FakeHost::take(failure.status).code, MUSTER_DEADLINE_EXCEEDED);
  }
}

TEST(FakeHost, GivenRecordsAndLogLinesThenTheTestReadsThem) {
  FakeHost host;
  const plugin::Host view(host.get());
  view.log(MUSTER_LOG_INFO, "hello");
  view.record("probe", "left out", "no device");
  ASSERT_EQ(host.log().size(), 2u);
  EXPECT_EQ(host.log()[0], "hello");
  EXPECT_EQ(host.log()[1], "probe: left out: no device");
}

TEST(FakeHost, GivenScratchThenItIsAlignedAndFreedWithTheHost) {
  FakeHost host;
  const plugin::Group group(host.get(), host.group());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(group.scratch(MUSTER_HOST, 100)) % 4096, 0u);
}

}  // namespace
}  // namespace muster::testing
