// Calls on device memory that no backend offers there: staged through the host, over the simulated
// driver, with shm for the host's part.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/gpu/runner.hpp"
#include "tests/unit/nccl/simulated_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kLargest = 300'000;

// Devices, and nobody who serves their memory.
World bare_world(uint32_t ranks) {
  return simulated_world(ranks, "backend.nccl.mode = \"off\"\nbackend.cuda_peer.mode = \"off\"\n");
}

int pinned() {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<int (*)()>(dlsym(driver, "simulatedPinned"))();
}

void expect_right(const World& world, const std::vector<gpu::DeviceCase>& cases,
                  const std::string& server) {
  std::mutex mutex;
  std::vector<std::string> wrong;
  std::atomic<uint64_t> served{0};
  on_ranks(World(world).deadline(std::chrono::seconds(100)), [&](api::Group& group,
                                                                 gpu::Device& device) {
    gpu::DeviceRunner runner(group.get(), device, 2 * kLargest, false);
    for (const gpu::DeviceCase& c : cases) {
      const ranks::Outcome outcome = runner.run(c);
      served += outcome.backend == server ? 1 : 0;
      if (outcome.ok() && (outcome.backend.empty() || outcome.backend == server)) continue;
      const std::lock_guard<std::mutex> lock(mutex);
      wrong.push_back("rank " + std::to_string(group.rank()) + ", served by '" + outcome.backend +
                      "', " + gpu::text_of(c) + ": " + outcome.failure + outcome.wrong.first);
      if (!outcome.failure.empty()) {
        group.abort();
        return;
      }
    }
  });
  EXPECT_TRUE(wrong.empty()) << wrong.size() << " wrong, the first: " << wrong.front();
  EXPECT_GE(served, cases.size() / 2);  // graphs do not tell
}

TEST(Staged, GivenNoBackendForDevicesThenEveryOperationIsStagedAndRight) {
  expect_right(bare_world(3), gpu::staged_cases(3, 20240901, kLargest), "composed(shm)");
  EXPECT_EQ(pinned(), 0);
}

muster_call sum_of(const Numbers& numbers, const gpu::Device& device) {
  muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
  call.redop = MUSTER_SUM;
  call.send = call.recv = numbers.data();
  call.count = numbers.count();
  call.stream = device.stream();
  return call;
}

TEST(Staged, GivenAFusedCallThenItGivesTheBitsOfTheHostsMemory) {
  constexpr uint64_t kHidden = 128;
  constexpr uint64_t kCount = 3 * kHidden;
  on_ranks(bare_world(2), [&](api::Group& group, gpu::Device& device) {
    for (const uint32_t quant_group : {0u, 32u}) {
      // send, residual, weight, recv, residual_out, scale_out of the host's and the device's call.
      std::vector<float> host(6 * kCount);
      for (size_t i = 0; i < 3 * kCount; ++i)
        host[i] = static_cast<float>((i * 7 + group.rank() * (i < kCount)) % 23) - 5;
      auto* const there = static_cast<float*>(device.allocate(host.size() * sizeof(float)));
      device.copy(there, host.data(), host.size() * sizeof(float));
      const auto run = [&](float* memory, muster_memory kind) {
        muster_fused_rmsnorm fused{};
        fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
        fused.hidden = kHidden;
        fused.quant_group = quant_group;
        fused.epsilon = 1e-6;
        fused.residual = memory + kCount;
        fused.weight = memory + 2 * kCount;
        fused.residual_out = memory + 4 * kCount;
        fused.scale_out = quant_group == 0 ? nullptr : memory + 5 * kCount;
        muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_F32);
        call.redop = MUSTER_SUM;
        call.send = memory;
        call.recv = memory + 3 * kCount;
        call.count = kCount;
        call.fused = &fused;
        call.send_memory = call.recv_memory = kind;
        if (kind == MUSTER_CUDA) call.stream = device.stream();
        EXPECT_EQ(group.backend(call), kind == MUSTER_CUDA ? "composed(shm)" : "shm");
        group.execute(call);
      };
      run(host.data(), MUSTER_HOST);
      run(there, MUSTER_CUDA);
      std::vector<float> back(host.size());
      device.copy(back.data(), there, host.size() * sizeof(float));
      EXPECT_EQ(back, host);
      EXPECT_NE(back[3 * kCount], 0);
      device.free(there);
    }
  });
}

TEST(Staged, GivenWorkBeforeAndAfterOnTheStreamThenTheCallStandsBetween) {
  on_ranks(bare_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{-1, -1});
    const Numbers after(device, 2);
    const auto handle = reinterpret_cast<cuda::Stream>(device.stream().handle);
    device.driver().launch_host(
        handle,
        [](void* data) {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          static_cast<int32_t*>(data)[0] = 3;
          static_cast<int32_t*>(data)[1] = 4;
        },
        numbers.data());
    group.execute(sum_of(numbers, device));
    device.driver().copy_async(cuda::device_pointer(after.data()),
                               cuda::device_pointer(numbers.data()), 2 * sizeof(int32_t), handle);
    device.synchronize();
    EXPECT_EQ(after.values(), (std::vector<int32_t>{6, 8}));
  });
}

TEST(Staged, GivenAGraphPhaseThenTheWarmUpIsRefusedWithTheRemedyAndTheGroupGoesOn) {
  on_ranks(bare_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{1});
    group.graph_begin(MUSTER_GRAPH_WARMUP);
    const Refused refused = refusal_of([&] { group.execute(sum_of(numbers, device)); });
    EXPECT_EQ(refused.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(refused.cause, HasSubstr("is staged through the host"));
    EXPECT_THAT(refused.cause, HasSubstr("a graph cannot hold"));
    EXPECT_THAT(refused.remedy, HasSubstr("outside of graph phases"));
    EXPECT_THAT(group.explain(sum_of(numbers, device)),
                HasSubstr("serves eager calls, staged through the host"));
    group.graph_end(true);
    group.execute(sum_of(numbers, device));
    EXPECT_EQ(numbers.values(), std::vector<int32_t>{2});
  });
}

TEST(Staged, GivenAStreamThatIsCapturedInAnEagerPhaseThenTheCaptureIsNotSpoilt) {
  on_ranks(bare_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{1});
    Refused refused;
    const gpu::Device::Graph graph(
        device, [&] { refused = refusal_of([&] { group.execute(sum_of(numbers, device)); }); });
    EXPECT_EQ(refused.code, MUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(refused.remedy, HasSubstr("muster_graph_begin"));
  });
}

TEST(Staged, GivenAStagedCallThenExplainSaysByWhom) {
  on_ranks(bare_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{1});
    const muster_call call = sum_of(numbers, device);
    EXPECT_EQ(group.backend(call), "composed(shm)");
    EXPECT_THAT(group.explain(call), HasSubstr("staged through the host by shm"));
    group.execute(call);
    EXPECT_GT(pinned(), 0);
    group.barrier();
  });
}

TEST(Staged, GivenAGroupThatIsStagedThenItSaysSoOnce) {
  std::string lines;
  muster_set_log_sink([](void* context, muster_log_level,
                         const char* line) { *static_cast<std::string*>(context) += line; },
                      &lines);
  bare_world(2).run([](api::Runtime& runtime, uint32_t) {
    api::Group(runtime, on_devices("first"));
    api::Group(runtime, on_devices("first"));
  });
  muster_set_log_sink(nullptr, nullptr);
  const std::string said = "group first: no backend serves cuda memory, calls are staged";
  const size_t first = lines.find(said);
  ASSERT_NE(first, std::string::npos);
  const size_t second = lines.find(said, first + 1);  // of the other rank
  EXPECT_EQ(lines.find(said, second + 1), std::string::npos);
}

TEST(Staged, GivenMemoryThatCannotBePinnedThenItIsStagedAllTheSame) {
  const Environment failing("SIMULATED_CUDA_FAIL", "cuMemHostRegister=2");
  on_ranks(bare_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{5});
    group.execute(sum_of(numbers, device));
    EXPECT_EQ(numbers.values(), std::vector<int32_t>{10});
    EXPECT_EQ(pinned(), 0);
  });
}

TEST(Staged, GivenABackendForDevicesThenOnlyWhatItLacksIsStaged) {
  on_ranks(simulated_world(2), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{6});
    muster_call call = sum_of(numbers, device);
    EXPECT_EQ(group.backend(call), "nccl");
    call.redop = MUSTER_BAND;  // NCCL has none
    EXPECT_EQ(group.backend(call), "composed(shm)");
    group.execute(call);
    EXPECT_EQ(numbers.values(), std::vector<int32_t>{6});
  });
}

TEST(Staged, GivenNoDeviceThenNothingIsStaged) {
  const Environment none("SIMULATED_CUDA_DEVICES", "0");
  bare_world(2).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime, on_devices());
    muster_call call = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_I32);
    call.redop = MUSTER_SUM;
    call.send = call.recv = &call;
    call.count = 1;
    EXPECT_EQ(refusal_of([&] { group.execute(call); }).code, MUSTER_INVALID_ARGUMENT);
  });
}

// The group of one rank.

World alone() { return bare_world(1); }

TEST(SelfOnDevice, GivenOneRankThenEveryOperationIsACopyInEveryPhase) {
  const std::vector<gpu::DeviceCase> cases = gpu::self_cases(7, kLargest);
  ASSERT_GT(cases.size(), 100u);
  expect_right(alone(), cases, "self");
}

TEST(SelfOnDevice, GivenWhatIsNoCopyThenItIsStaged) {
  on_ranks(alone(), [](api::Group& group, gpu::Device& device) {
    const Numbers numbers(device, std::vector<int32_t>{7, 0});
    muster_call call = sum_of(numbers, device);
    call.redop = MUSTER_LOR;
    EXPECT_EQ(group.backend(call), "composed(self)");
    group.execute(call);
    EXPECT_EQ(numbers.values(), (std::vector<int32_t>{1, 0}));
    const int32_t three = 3;
    call.redop = MUSTER_SUM;
    call.scalar = &three;
    EXPECT_EQ(group.backend(call), "self");
    group.execute(call);
    EXPECT_EQ(numbers.values(), (std::vector<int32_t>{3, 0}));
  });
}

TEST(SelfOnDevice, GivenMessagesOnTwoStreamsThenTheyMeetInOrder) {
  on_ranks(alone(), [](api::Group& group, gpu::Device& device) {
    gpu::Device other(0);
    const Numbers from(device, std::vector<int32_t>{1});
    const Numbers to(device, 1);
    muster_call send = muster_call_init(MUSTER_SEND, MUSTER_I32);
    send.send = from.data();
    send.count = 1;
    send.stream = device.stream();
    muster_call recv = muster_call_init(MUSTER_RECV, MUSTER_I32);
    recv.recv = to.data();
    recv.count = 1;
    recv.stream = other.stream();
    device.driver().launch_host(
        reinterpret_cast<cuda::Stream>(device.stream().handle),
        [](void* data) {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          *static_cast<int32_t*>(data) = 9;
        },
        from.data());
    const muster_call calls[] = {send, recv};
    api::check(muster_batch(group.get(), calls, 2));
    other.synchronize();
    EXPECT_EQ(to.values(), std::vector<int32_t>{9});
  });
}

}  // namespace
}  // namespace muster::testing
