// Along a dimension of device memory: the plugin that knows the memory moves the runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compose/thread_backend.hpp"
#include "tests/unit/tensors/fake_device.hpp"
#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

class DimensionDevice : public ::testing::Test {
 protected:
  void SetUp() override { FakeDevice::forget(); }
  static muster_rule everywhere() {
    muster_rule rule = MockBackend::everything();
    rule.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
    rule.memory |= MUSTER_BIT(MUSTER_CUDA);
    return rule;
  }
  void with_group(uint32_t ranks, const muster_entry* device,
                  const std::function<void(api::Group&)>& body) {
    ThreadBackend backend("base", {everywhere()});
    World(ranks).with(backend.mock()).with(device).run([&](api::Runtime& runtime, uint32_t) {
      api::GroupOptions options;
      options.memory = MUSTER_CUDA;
      api::Group group(runtime, options);
      body(group);
    });
  }
};

TEST_F(DimensionDevice, GivenAnInnerDimensionThenResultsAreRightAndTheDeviceMovesOncePerRank) {
  constexpr uint32_t kRanks = 3;
  with_group(kRanks, FakeDevice::entry(), [](api::Group& group) {
    const int mine = static_cast<int>(group.rank()) + 1;
    const std::vector<int> send(4, mine);
    std::vector<int> recv(12);
    api::all_gather_dim(group, send.data(), recv.data(), {2, 2}, 1);
    EXPECT_EQ(recv, (std::vector<int>{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}));
    std::vector<int> sums(4);
    api::reduce_scatter_dim(group, recv.data(), sums.data(), {2, 6}, 1, MUSTER_SUM);
    EXPECT_EQ(sums, std::vector<int>(4, 3 * mine));
    std::vector<int> gathered(12);
    api::gather_dim(group, send.data(), gathered.data(), {2, 2}, 1, 0);
    if (group.rank() == 0) {
      EXPECT_EQ(gathered, recv);
    }
  });
  // all_gather and reduce_scatter on every rank, gather on its root.
  EXPECT_EQ(FakeDevice::copies_2d, static_cast<int>(kRanks * kRanks * 2 + kRanks));
  EXPECT_GE(FakeDevice::allocated, static_cast<int>(kRanks));
  EXPECT_EQ(FakeDevice::freed, FakeDevice::allocated);
}

TEST_F(DimensionDevice, GivenAGraphPhaseThenTheReserveOfThatMemoryIsAskedForAndServes) {
  with_group(2, FakeDevice::entry(), [](api::Group& group) {
    const std::vector<int> send(4, 1);
    std::vector<int> recv(8);
    const auto gather = [&] { api::all_gather_dim(group, send.data(), recv.data(), {2, 2}, 1); };
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    EXPECT_THAT(failure_of(gather).remedy,
                HasSubstr("muster_group_reserve(group, MUSTER_CUDA, 32)"));
    group.graph_end(true);
    group.reserve(MUSTER_CUDA, 32);
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    gather();
    group.graph_end(true);
    EXPECT_EQ(recv, std::vector<int>(8, 1));
  });
}

TEST_F(DimensionDevice, GivenAPluginThatCannotCopyRowsThenItIsNotUsed) {
  with_group(2, FakeDevice::entry(false), [](api::Group& group) {
    const std::vector<int> send(4, 1);
    std::vector<int> recv(8);
    const Failed failed = failure_of([&] {
      api::all_gather_dim(group, send.data(), recv.data(), {2, 2}, 1);
    });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(failed.cause, HasSubstr("no plugin gives muster.device/1"));
  });
}

}  // namespace
}  // namespace muster::testing
