// Calls up to their launch: what the driver is handed, the first time and when a call is made
// again.
#include "tests/simulators/cuda/launches.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

#include "muster/muster.h"
#include "plugins/backends/cuda_peer/group.hpp"
#include "plugins/backends/cuda_peer/vocabulary.hpp"
#include "tests/unit/cuda_peer/thread_group.hpp"

namespace muster::cuda_peer {
namespace {

constexpr uint32_t kRanks = 2;
constexpr uint64_t kBytes = uint64_t{64} << 20;
// Buffers that no kernel touches.
void* const kHere = reinterpret_cast<void*>(uint64_t{1} << 40);
void* const kThere = reinterpret_cast<void*>(uint64_t{1} << 41);

struct Heard {
  std::string function;
  cu::LaunchConfig config{};
  std::vector<cu::LaunchAttribute> attributes;
  Args args{};
};
thread_local std::vector<Heard> heard;

void listen() {
  void* const driver = dlopen(cu::Driver::kLibrary, RTLD_NOW | RTLD_NOLOAD);
  reinterpret_cast<void (*)(simulators::LaunchListener)>(dlsym(driver, "simulatedListen"))(
      [](const cu::LaunchConfig& config, const char* function, void* const* parameters) {
        heard.push_back({function,
                         config,
                         {config.attributes, config.attributes + config.attribute_count},
                         *static_cast<const Args*>(parameters[0])});
      });
}

muster_call call_of(muster_op op, muster_dtype dtype, uint64_t count) {
  muster_call call = muster_call_init(op, dtype);
  call.redop = MUSTER_REDOP_NONE;
  if (is_reduction(op)) call.redop = MUSTER_SUM;
  call.count = count;
  call.send = kHere;
  call.recv = kThere;
  call.stream = {MUSTER_STREAM_CUDA, 0, 0};
  return call;
}

// A call as its launch goes out; empty when there is none.
Heard launch_of(PeerGroup& group, const muster_call& call) {
  heard.clear();
  group.execute(call);
  EXPECT_LE(heard.size(), 1u);
  return heard.empty() ? Heard() : heard.front();
}

// But for what differs between two groups: heaps and the page of the host.
void expect_alike(const Heard& one, const Heard& other, const std::string& what) {
  EXPECT_EQ(one.function, other.function) << what;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(one.config.grid[i], other.config.grid[i]) << what;
    EXPECT_EQ(one.config.block[i], other.config.block[i]) << what;
  }
  EXPECT_EQ(one.config.shared_bytes, other.config.shared_bytes) << what;
  EXPECT_EQ(one.config.stream, other.config.stream) << what;
  ASSERT_EQ(one.attributes.size(), other.attributes.size()) << what;
  for (size_t i = 0; i < one.attributes.size(); ++i) {
    EXPECT_EQ(std::memcmp(&one.attributes[i], &other.attributes[i], sizeof(cu::LaunchAttribute)), 0)
        << what;
  }
  const auto parameters = [](Args args) {
    for (Byte*& heap : args.heap) heap = nullptr;
    args.waiting = nullptr;
    return args;
  };
  const Args a = parameters(one.args);
  const Args b = parameters(other.args);
  EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0) << what;
}

void run(const std::function<void(plugin::Group, PeerGroup&)>& body) {
  ThreadGroup(kRanks, false).run([&](plugin::Group group, cu::DeviceHandle) {
    listen();
    PeerGroup peers(group);
    peers.connect();
    body(group, peers);
  });
}

TEST(Launches, GivenACallMadeAgainThenItsLaunchHasTheOtherBuffersAndTheOtherStream) {
  run([](plugin::Group, PeerGroup& group) {
    muster_call call = call_of(MUSTER_ALL_REDUCE, MUSTER_BF16, 512);
    const Heard first = launch_of(group, call);
    EXPECT_EQ(first.function, "all_reduce_one_shot_push");
    EXPECT_EQ(first.args.send, kHere);
    EXPECT_EQ(first.args.recv, kThere);
    call.send = kThere;
    call.recv = kHere;
    call.stream.handle = 0x1000;
    Heard again = launch_of(group, call);
    EXPECT_EQ(again.args.send, kThere);
    EXPECT_EQ(again.args.recv, kHere);
    EXPECT_EQ(again.config.stream, reinterpret_cast<cu::Stream>(0x1000));
    again.args.send = first.args.send;
    again.args.recv = first.args.recv;
    again.config.stream = first.config.stream;
    expect_alike(again, first, "the rest");
  });
}

TEST(Launches, GivenAGroupThenItsHeapSaysHowLongKernelsWait) {
  run([](plugin::Group, PeerGroup& group) {
    const Heard launch = launch_of(group, call_of(MUSTER_ALL_REDUCE, MUSTER_BF16, 512));
    const Waiting& waiting = *launch.args.waiting;  // simulated device memory is the host's
    EXPECT_EQ(waiting.wait_ns, 60'000'000'000u);
    EXPECT_EQ(waiting.failed, 0u);
    ASSERT_NE(waiting.control, nullptr);
    EXPECT_EQ(waiting.control->abort, 0u);
    group.abort();
    EXPECT_EQ(waiting.control->abort, 1u);
  });
}

TEST(Launches, GivenMixedCallsThenThoseMadeAgainAreAsMadeAnew) {
  run([](plugin::Group host, PeerGroup& keeping) {
    // This group makes every call anew: memory that comes and goes makes it forget.
    PeerGroup forgetting(host);
    forgetting.connect();
    const Memory memory(static_cast<int>(host.rank()), kBytes, Memory::Kind::kPlain);
    std::mt19937 random(11);  // the same on all ranks
    const auto below = [&](uint64_t end) { return random() % end; };
    constexpr muster_op kOps[] = {MUSTER_ALL_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_ALL_GATHER,
                                  MUSTER_ALL_TO_ALL, MUSTER_BROADCAST};
    constexpr muster_dtype kDtypes[] = {MUSTER_F32, MUSTER_BF16, MUSTER_F16};
    constexpr uint64_t kCounts[] = {0, 1, 7, 512, 4096, 100000, 1 << 20, 16 << 20};
    const uint16_t half = 0x3f00;
    for (int i = 0; i < 2000; ++i) {
      muster_call call = call_of(kOps[below(5)], kDtypes[below(3)], kCounts[below(8)]);
      if (call.redop != MUSTER_REDOP_NONE && below(4) == 0) call.redop = MUSTER_MAX;
      if (call.op == MUSTER_BROADCAST) call.root = static_cast<uint32_t>(below(kRanks));
      if (call.op == MUSTER_BROADCAST && call.root == host.rank()) call.recv = nullptr;
      if (call.redop == MUSTER_SUM && call.dtype == MUSTER_BF16 && below(4) == 0)
        call.scalar = &half;
      if (below(4) == 0) call.flags = MUSTER_CALL_SYMMETRIC;
      call.stream.handle = below(3) * 4096;
      Region* const region = forgetting.memory_register(memory.as<void>(), kBytes, MUSTER_CUDA);
      forgetting.memory_deregister(region);
      expect_alike(launch_of(keeping, call), launch_of(forgetting, call),
                   "call " + std::to_string(i));
    }
  });
}

TEST(Launches, GivenMemoryThatAllRanksKnowByNowThenAPromisedCallIsPulled) {
  run([](plugin::Group host, PeerGroup& group) {
    const Memory memory(static_cast<int>(host.rank()), kBytes, Memory::Kind::kPlain);
    muster_call call = call_of(MUSTER_BROADCAST, MUSTER_U8, 4 << 20);
    call.flags = MUSTER_CALL_SYMMETRIC;
    call.send = memory.as<void>();
    call.recv = memory.as<void>(8 << 20);
    EXPECT_EQ(launch_of(group, call).function, "broadcast_push");
    Region* const region = group.memory_register(memory.as<void>(), kBytes, MUSTER_CUDA);
    const Heard known = launch_of(group, call);
    EXPECT_EQ(known.function, "broadcast_pull");
    EXPECT_EQ(known.args.told, host.rank() == 0 ? told_of(0, 0) : kToldNotNeeded);
    call.send = memory.as<void>(1 << 20);
    const Heard elsewhere = launch_of(group, call);
    EXPECT_EQ(elsewhere.args.told, host.rank() == 0 ? told_of(0, 1 << 20) : kToldNotNeeded);
    group.memory_deregister(region);
    EXPECT_EQ(launch_of(group, call).function, "broadcast_push");
  });
}

TEST(Launches, GivenAnotherContextOrNoneThenAKeptCallIsLaunchedInItsOwn) {
  run([](plugin::Group host, PeerGroup& group) {
    const cu::Driver& cuda = cu::driver();
    const muster_call call = call_of(MUSTER_ALL_GATHER, MUSTER_F32, 64);
    static_cast<void>(launch_of(group, call));
    cu::Context own = nullptr;
    cuda.context_current(&own);
    cu::Contexts contexts(cuda);
    for (const cu::Context other : {contexts.of(kRanks + host.rank()), cu::Context{nullptr}}) {
      cuda.context_set(other);
      EXPECT_EQ(launch_of(group, call).function, "all_gather_push");
      cu::Context after = nullptr;
      cuda.context_current(&after);
      EXPECT_EQ(after, other);
    }
    cuda.context_set(own);
  });
}

}  // namespace
}  // namespace muster::cuda_peer
