// An author's tests with the installed kit, in C++17: what is installed is whole, and a difference
// is readable.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <muster/testing/collective.hpp>
#include <muster/testing/fake_host.hpp>
#include <muster/testing/world.hpp>
#include <vector>

namespace {

using muster::testing::Call;
using muster::testing::Calls;
using muster::testing::FakeHost;
using muster::testing::IdleBackend;
using muster::testing::MockBackend;
using muster::testing::OnRank;
using muster::testing::World;

TEST(InstalledKit, GivenThreeRanksThenTheMockComputesAndCountsPerRank) {
  MockBackend mock("mocked", 100);
  EXPECT_CALL(mock, execute).Times(2);
  EXPECT_CALL(mock, execute(OnRank(1), Call(MUSTER_REDUCE).root(1))).Times(1);
  World(3).with(mock).run([](muster::api::Runtime& runtime, uint32_t rank) {
    muster::api::Group group(runtime);
    const std::vector<int64_t> mine(5, rank);
    std::vector<int64_t> sum(5);
    group.reduce(mine.data(), sum.data(), 5, MUSTER_SUM, 1);
    EXPECT_EQ(sum, std::vector<int64_t>(5, rank == 1 ? 3 : 0));
  });
}

TEST(InstalledKit, GivenADifferenceThenItNamesRankCallAndField) {
  IdleBackend mock("mocked", 100);
  World(2).with(mock).run(
      [](muster::api::Runtime& runtime, uint32_t) { muster::api::Group(runtime).barrier(); });
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(mock.calls_of(1), Calls({Call(MUSTER_ALL_REDUCE)})),
                          "rank 1, call 0: operation is barrier, wanted all_reduce");
}

TEST(InstalledKit, GivenAFakeHostThenASlotIsCalledWithoutARuntime) {
  const MockBackend mock("mocked");
  FakeHost host;
  muster_instance* instance = nullptr;
  ASSERT_TRUE(FakeHost::take(mock.entry()->open(host.get(), &instance)).ok());
  EXPECT_EQ(host.offer(*mock.table(), instance, 2, {}).rules.size(), 1u);
  mock.entry()->close(instance);
}

TEST(InstalledKit, GivenRecordsOfAllRanksThenTheResultOfEachIsKnown) {
  muster_call calls[2] = {};
  const uint8_t in[2] = {7, 9};
  for (int rank = 0; rank < 2; ++rank) {
    calls[rank].op = MUSTER_ALL_GATHER;
    calls[rank].dtype = MUSTER_U8;
    calls[rank].count = 1;
    calls[rank].send = &in[rank];
  }
  uint8_t out[2] = {};
  muster::testing::write_pieces(
      out, muster::testing::result_of({&calls[0], &calls[1]}, 0,
                                      [](const char*, muster_dtype, muster_redop) {
                                        return muster_kernel_function(nullptr);
                                      }));
  EXPECT_EQ(out[0], 7);
  EXPECT_EQ(out[1], 9);
}

}  // namespace
