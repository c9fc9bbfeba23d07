// Graph phases and memory that the runtime cannot move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compose/thread_backend.hpp"
#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

class DimensionGraph : public ::testing::Test {
 protected:
  static muster_rule everywhere() {
    muster_rule rule = MockBackend::everything();
    rule.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
    rule.memory |= MUSTER_BIT(MUSTER_CUDA);
    return rule;
  }
  void with_group(const std::function<void(api::Group&)>& body) {
    World(2).with(backend_.mock()).run([&](api::Runtime& runtime, uint32_t) {
      api::Group group(runtime);
      body(group);
    });
  }
  ThreadBackend backend_{"base", {everywhere()}};
};

TEST_F(DimensionGraph, GivenNothingReservedThenEveryRankIsToldWhatToReserveAndNothingIsBegun) {
  with_group([](api::Group& group) {
    std::vector<int> send(2000, 1);
    std::vector<int> recv(4000);
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    Failed failed = failure_of([&] {
      api::all_gather_dim(group, send.data(), recv.data(), {1000, 2}, 1);
    });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(failed.remedy, HasSubstr("muster_group_reserve(group, MUSTER_HOST, 16000)"));
    failed = failure_of([&] { api::gather_dim(group, send.data(), recv.data(), {1000, 2}, 1, 0); });
    EXPECT_EQ(failed.code, MUSTER_FAILED_PRECONDITION);
    failed = failure_of([&] {
      api::reduce_scatter_dim(group, recv.data(), send.data(), {1000, 4}, 1, MUSTER_SUM);
    });
    EXPECT_THAT(failed.remedy, HasSubstr("muster_group_reserve(group, MUSTER_HOST, 16000)"));
    group.graph_end(true);
  });
  EXPECT_TRUE(backend_.seen().empty());
}

TEST_F(DimensionGraph, GivenEnoughReservedThenItRunsInTheGraph) {
  with_group([](api::Group& group) {
    const int mine = static_cast<int>(group.rank()) + 1;
    const std::vector<int> send(6, mine);
    std::vector<int> recv(12);
    group.reserve(MUSTER_HOST, 48);
    group.graph_begin(MUSTER_GRAPH_CAPTURE);
    api::all_gather_dim(group, send.data(), recv.data(), {3, 2}, 1);
    EXPECT_EQ(recv, (std::vector<int>{1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}));
    std::vector<int> sums(6);
    api::reduce_scatter_dim(group, recv.data(), sums.data(), {3, 4}, 1, MUSTER_SUM);
    EXPECT_EQ(sums, std::vector<int>(6, 2 * mine));
    group.graph_end(true);
  });
}

TEST_F(DimensionGraph, GivenDeviceMemoryThenDimensionZeroGoesAndAnInnerOneIsRefusedByName) {
  with_group([](api::Group& group) {
    std::vector<int> send(6, static_cast<int>(group.rank()));
    std::vector<int> recv(12);
    api::Options options;
    options.send_memory = options.recv_memory = MUSTER_CUDA;
    api::all_gather_dim(group, send.data(), recv.data(), {1, 3, 2}, 1, options);
    EXPECT_EQ(recv.back(), 1);
    const Failed failed = failure_of([&] {
      api::all_gather_dim(group, send.data(), recv.data(), {1, 3, 2}, 2, options);
    });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(failed.cause, HasSubstr("cuda memory"));
    EXPECT_THAT(failed.cause, HasSubstr("muster.device/1"));
  });
}

}  // namespace
}  // namespace muster::testing
