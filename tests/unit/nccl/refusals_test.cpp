// What cannot be served is left out before the first call, with the cause; the rest of the group
// goes on.
//
// The driver and its devices are looked at once per process, so each of these wants a process of
// its own, as ctest gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

muster_call sum_on_device() {
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
  call.redop = MUSTER_SUM;
  call.send_memory = call.recv_memory = MUSTER_CUDA;
  call.stream = {MUSTER_STREAM_CUDA, 0, 64};
  call.count = 1;
  call.send = &call;
  call.recv = reinterpret_cast<void*>(64);
  return call;
}

// A world in which nccl is left out: host memory is served, device memory is staged through the
// host where there are devices, and the records say why.
void expect_left_out(const World& world, const std::string& why, bool has_devices = true) {
  world.run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime, on_devices());
    const muster_call call = sum_on_device();
    if (has_devices) {
      EXPECT_EQ(group.backend(call), "composed(shm)");
    } else {
      EXPECT_EQ(refusal_of([&] { group.execute(call); }).code, MUSTER_INVALID_ARGUMENT);
    }
    int32_t one = 1;
    api::Options host;
    host.send_memory = host.recv_memory = MUSTER_HOST;
    api::check(muster_all_reduce(group.get(), &one, &one, 1, MUSTER_I32, MUSTER_SUM, &host));
    EXPECT_EQ(one, static_cast<int32_t>(group.size()));
    EXPECT_THAT(records_of(runtime), HasSubstr(why));
  });
}

TEST(NcclRefusals, GivenNoDeviceThenTheDriversWordsSayIt) {
  const Environment none("SIMULATED_CUDA_DEVICES", "0");
  expect_left_out(simulated_world(2), "cuInit: CUDA_ERROR_NO_DEVICE (no CUDA-capable device",
                  false);
}

TEST(NcclRefusals, GivenADriverThatDoesNotStartThenItsErrorIsNamed) {
  const Environment failing("SIMULATED_CUDA_FAIL", "cuInit=3");
  expect_left_out(simulated_world(2), "cuInit: CUDA_ERROR_NOT_INITIALIZED", false);
}

TEST(NcclRefusals, GivenNoLibraryThenTheNameAndTheLoadersReasonAreNamed) {
  expect_left_out(simulated_world(2, nccl_option("library", "\"/nowhere/libnccl.so.2\"")),
                  "/nowhere/libnccl.so.2 could not be opened: ");
}

TEST(NcclRefusals, GivenALibraryThatIsNotWholeThenVersionAndSymbolAreNamed) {
  expect_left_out(simulated_world(2, nccl_option("library", "\"" NCCL_PARTIAL "\"")),
                  "is NCCL 2.28.9 and lacks ncclAllReduce");
}

TEST(NcclRefusals, GivenAnOldVersionThenTheOldestServedIsNamed) {
  const Environment old("SIMULATED_NCCL_VERSION", "21704");
  expect_left_out(simulated_world(2), "is NCCL 2.17.4, 2.18 is the oldest served");
}

TEST(NcclRefusals, GivenAnotherMajorVersionThenItIsNotTried) {
  const Environment next("SIMULATED_NCCL_VERSION", "30000");
  expect_left_out(simulated_world(2), "is NCCL 3.0.0, of a major version that is not known");
}

TEST(NcclRefusals, GivenTwoRanksOnOneDeviceThenBothAndTheDeviceAreNamed) {
  expect_left_out(simulated_world(3).devices({0, 1, 0}), "ranks 0 and 2 share device 0 (GPU-abab");
}

TEST(NcclRefusals, GivenARankWithoutADeviceThenItIsNamed) {
  expect_left_out(simulated_world(2).devices({0}), "rank 1 is bound to no device");
}

TEST(NcclRefusals, GivenADeviceThatIsNotThereThenRankAndDeviceAreNamed) {
  expect_left_out(simulated_world(2).devices({0, 9}),
                  "rank 1 is bound to device 9, which it does not see");
}

TEST(NcclRefusals, GivenLimitsThatContradictThenBothAreNamed) {
  expect_left_out(simulated_world(2, nccl_option("min_ctas", "8") + nccl_option("max_ctas", "4")),
                  "options min_ctas 8 and max_ctas 4 contradict each other");
}

TEST(NcclRefusals, GivenNoIdOnRank0ThenEveryRankKnowsTheCause) {
  const Environment failing("SIMULATED_NCCL_FAIL", "ncclGetUniqueId=2");
  expect_left_out(simulated_world(2), "ncclGetUniqueId on rank 0: unhandled system error: ");
}

TEST(NcclRefusals, GivenACommunicatorThatIsRefusedThenEveryRankKnowsTheCause) {
  const Environment failing("SIMULATED_NCCL_FAIL", "ncclCommInitRankConfig=1@2");
  expect_left_out(simulated_world(2, "", 1000), "ncclCommInitRankConfig: unhandled cuda error: ");
}

// One rank never comes, which the others find out at the deadline.
void expect_bounded_start(const std::string& config) {
  const Environment hanging("SIMULATED_NCCL_HANG_INIT", "1");
  expect_left_out(simulated_world(2, config, 1000), "was not done at the deadline");
}

TEST(NcclRefusals, GivenACommunicatorThatIsNeverReadyThenTheDeadlineEndsTheWait) {
  expect_bounded_start("");
}

TEST(NcclRefusals, GivenOneThatDoesNotBlockAndIsNeverReadyThenTheDeadlineEndsTheWait) {
  expect_bounded_start(nccl_option("blocking", "false"));
}

TEST(NcclRefusals, GivenACallThatNcclLacksThenItIsStagedAndExplainSaysWhy) {
  on_ranks(simulated_world(2), [](api::Group& group, gpu::Device&) {
    muster_call call = sum_on_device();
    call.dtype = MUSTER_F32;
    call.redop = MUSTER_MAX;
    EXPECT_EQ(group.backend(call), "composed(shm)");
    char* text = nullptr;
    api::check(muster_group_explain(group.get(), &call, 0, &text));
    EXPECT_THAT(text, HasSubstr("offers all_reduce with sum prod avg only, not max"));
    muster_text_release(text);
    call.dtype = MUSTER_I16;
    EXPECT_EQ(group.backend(call), "composed(shm)");
  });
}

TEST(NcclRefusals, GivenAnExchangeInPlaceThenItIsServedButNotInAGraph) {
  on_ranks(simulated_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{int32_t(group.rank()), 10});
    const auto exchange = [&] {
      const api::Options options = on_stream(device);
      api::check(
          muster_all_to_all(group.get(), numbers.data(), numbers.data(), 1, MUSTER_I32, &options));
    };
    group.graph_begin(MUSTER_GRAPH_WARMUP);
    EXPECT_EQ(refusal_of(exchange).code, MUSTER_UNAVAILABLE);
    group.graph_end(true);
    exchange();
    EXPECT_EQ(numbers.values(),
              group.rank() == 0 ? (std::vector<int32_t>{0, 1}) : (std::vector<int32_t>{10, 10}));
  });
}

}  // namespace
}  // namespace muster::testing
