// Memory of a group: who hears of it, who refuses it, and that ranks which differ are told instead
// of left waiting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "core/dispatch/group.hpp"
#include "tests/unit/dispatch/mocked_group.hpp"
#include "tests/unit/tensors/fake_device.hpp"

namespace muster::testing {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;

void* alloc(api::Group& group, uint64_t bytes, muster_memory memory = MUSTER_HOST) {
  void* out = nullptr;
  api::check(muster_mem_alloc(group.get(), bytes, memory, &out));
  return out;
}
void release(api::Group& group, void* pointer) {
  api::check(muster_mem_free(group.get(), pointer));
}

class Memory : public ::testing::Test {
 protected:
  IdleBackend mock_{"fast", 50, kMockMemory};
  char own_[2][256] = {};  // of the ranks
};

TEST_F(Memory, GivenABackendThatRegistersThenItHearsOfEveryRanksPieceUntilItIsFreed) {
  EXPECT_CALL(mock_, memory_register(_, _, 10000, uint32_t{MUSTER_HOST}))
      .Times(2)
      .WillRepeatedly([](MockGroup&, void* pointer, uint64_t, muster_memory) {
        return static_cast<char*>(pointer) + 1;  // a handle of its own
      });
  std::atomic<int> freed{0};
  ON_CALL(mock_, memory_deregister).WillByDefault([&](MockGroup&, void* handle) {
    EXPECT_EQ(static_cast<char*>(handle)[0], 'x') << "still there, and the handle it gave";
    ++freed;
  });
  with_group(2, mock_, [&](api::Group& group) {
    auto* const memory = static_cast<char*>(alloc(group, 10000));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 4096, 0u);
    EXPECT_TRUE(std::all_of(memory, memory + 10000, [](char c) { return c == 0; }));
    memory[1] = 'x';
    release(group, memory);
  });
  EXPECT_EQ(freed, 2);
}

TEST_F(Memory, GivenBackendsWithoutRegistrationThenThereIsMemoryAllTheSame) {
  IdleBackend plain("plain");
  for (const uint32_t ranks : {1u, 3u}) {
    with_group(ranks, plain, [](api::Group& group) {
      void* const memory = alloc(group, 1);
      EXPECT_NE(memory, nullptr);
      release(group, memory);
    });
  }
}

TEST_F(Memory, GivenABackendThatRefusesOnOneRankThenItIsTakenBackOnTheOthersAndSaid) {
  ON_CALL(mock_, memory_register)
      .WillByDefault([](MockGroup& group, void* pointer, uint64_t, muster_memory) {
        if (group.rank() == 1) plugin::fail(MUSTER_UNAVAILABLE, "no more handles");
        return pointer;
      });
  EXPECT_CALL(mock_, memory_deregister).Times(2);  // on ranks 0 and 2, and not again
  World(3).with(mock_).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    release(group, alloc(group, 64));
    EXPECT_THAT(runtime.describe(),
                AllOf(HasSubstr("not registered"), HasSubstr("rank 1: fast: no more handles")));
  });
}

TEST_F(Memory, GivenSizesThatDifferThenAllRanksHearThemAndTheNextAllocationWorks) {
  EXPECT_CALL(mock_, memory_register).Times(2);
  with_group(2, mock_, [](api::Group& group) {
    const Failed failed = failure_of([&] { alloc(group, 4096 + group.rank()); });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause,
                AllOf(HasSubstr("rank 0: muster_mem_alloc of 4096 bytes of host memory"),
                      HasSubstr("rank 1: muster_mem_alloc of 4097 bytes")));
    release(group, alloc(group, 4096));
  });
}

TEST_F(Memory, GivenDifferentCallsThenBothAreNamedAndNothingIsFreed) {
  with_group(2, mock_, [](api::Group& group) {
    auto* const memory = static_cast<char*>(alloc(group, 64));
    const Failed failed = failure_of([&] {
      if (group.rank() == 0) {
        release(group, memory);
      } else {
        alloc(group, 64);
      }
    });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause,
                AllOf(HasSubstr("muster_mem_free of memory 1"), HasSubstr("muster_mem_alloc of")));
    memory[63] = 1;
    release(group, memory);
  });
}

TEST_F(Memory, GivenTwoPiecesFreedInAnotherOrderThenTheirNumbersAreNamed) {
  with_group(2, mock_, [](api::Group& group) {
    void* const first = alloc(group, 64);
    void* const second = alloc(group, 64);
    const Failed failed = failure_of([&] { release(group, group.rank() == 0 ? first : second); });
    EXPECT_EQ(failed.code, MUSTER_MISMATCH);
    EXPECT_THAT(failed.cause, AllOf(HasSubstr("rank 0: muster_mem_free of memory 1"),
                                    HasSubstr("rank 1: muster_mem_free of memory 2")));
    release(group, second);
    release(group, first);
  });
}

TEST_F(Memory, GivenAPointerThatIsNoneThenThatRankHearsItAndTheOthersOfIt) {
  with_group(2, mock_, [&](api::Group& group) {
    auto* const memory = static_cast<char*>(alloc(group, 64));
    const Failed failed =
        failure_of([&] { release(group, group.rank() == 0 ? memory : memory + 1); });
    EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failed.cause,
                HasSubstr(group.rank() == 1 ? "is not the begin of memory" : "rank 1: "));
    release(group, memory);
    EXPECT_EQ(failure_of([&] { release(group, memory); }).code, MUSTER_INVALID_ARGUMENT);
  });
}

TEST_F(Memory, GivenNoBytesThenThereIsNoMemoryAndNothingToFree) {
  EXPECT_CALL(mock_, memory_register).Times(0);
  with_group(2, mock_, [](api::Group& group) {
    EXPECT_EQ(alloc(group, 0), nullptr);
    if (group.rank() == 0) release(group, nullptr);  // concerns nobody else
    EXPECT_EQ(failure_of([&] { alloc(group, group.rank()); }).code, MUSTER_MISMATCH);
  });
}

TEST_F(Memory, GivenMoreThanThereIsOnOneRankThenAllAreTold) {
  EXPECT_CALL(mock_, memory_register).Times(0);
  with_group(2, mock_, [](api::Group& group) {
    const Failed failed =
        failure_of([&] { alloc(group, group.rank() == 1 ? uint64_t{1} << 62 : 64); });
    EXPECT_EQ(failed.code, MUSTER_RESOURCE_EXHAUSTED);
    EXPECT_THAT(failed.cause,
                HasSubstr("4611686018427387904 bytes of host memory are wanted, this machine has"));
    // As many elements as do not fit in 64 bits of bytes.
    EXPECT_EQ(failure_of([&] { api::Buffer<double>(group, UINT64_MAX / 4); }).code,
              MUSTER_RESOURCE_EXHAUSTED);
  });
}

TEST_F(Memory, GivenKindsThatNobodyKnowsThenTheyAreRefused) {
  with_group(2, mock_, [](api::Group& group) {
    EXPECT_EQ(failure_of([&] { alloc(group, 64, MUSTER_MEMORY_END); }).code,
              MUSTER_INVALID_ARGUMENT);
    const Failed failed = failure_of([&] { alloc(group, 64, MUSTER_CUDA); });
    EXPECT_EQ(failed.code, MUSTER_UNAVAILABLE);
    EXPECT_THAT(failed.remedy, HasSubstr("muster.device/1"));
  });
}

TEST_F(Memory, GivenADeviceThenItAllocatesAndFreesOnceNobodyHasItRegistered) {
  FakeDevice::forget();
  EXPECT_CALL(mock_, memory_register(_, _, 64, uint32_t{MUSTER_CUDA})).Times(2);
  std::atomic<int> deregistered{0};
  ON_CALL(mock_, memory_deregister).WillByDefault([&](MockGroup&, void*) {
    EXPECT_EQ(FakeDevice::freed, 0);
    ++deregistered;
  });
  World(2).with(mock_).with(FakeDevice::entry()).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    release(group, alloc(group, 64, MUSTER_CUDA));
  });
  EXPECT_EQ(deregistered, 2);
  EXPECT_EQ(FakeDevice::allocated, 2);
  EXPECT_EQ(FakeDevice::freed, 2);
}

TEST_F(Memory, GivenAGraphPhaseThenMemoryNeitherComesNorGoes) {
  with_group(2, mock_, [](api::Group& group) {
    void* const memory = alloc(group, 64);
    group.graph_begin(MUSTER_GRAPH_PIECEWISE);
    EXPECT_EQ(failure_of([&] { alloc(group, 64); }).code, MUSTER_FAILED_PRECONDITION);
    EXPECT_EQ(failure_of([&] { release(group, memory); }).code, MUSTER_FAILED_PRECONDITION);
    group.graph_end(true);
    release(group, memory);
  });
}

TEST_F(Memory, GivenMemoryOfTheProgramThenItIsRegisteredOnceAndStaysTheProgramsOwn) {
  EXPECT_CALL(mock_, memory_register(_, _, 200, uint32_t{MUSTER_HOST})).Times(2);
  EXPECT_CALL(mock_, memory_deregister).Times(2);
  with_group(2, mock_, [&](api::Group& group) {
    char* const mine = own_[group.rank()];
    group.mem_register(mine, 200);
    const Failed overlap = failure_of([&] { group.mem_register(mine + 199, 10); });
    EXPECT_EQ(overlap.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(overlap.cause, HasSubstr("overlap memory 1"));
    const Failed wrong = failure_of([&] { release(group, mine); });
    EXPECT_EQ(wrong.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(wrong.remedy, HasSubstr("muster_mem_deregister"));
    group.mem_deregister(mine);
    mine[0] = 1;
    EXPECT_EQ(failure_of([&] { group.mem_deregister(mine); }).code, MUSTER_INVALID_ARGUMENT);
  });
}

TEST_F(Memory, GivenNothingToRegisterThenThatIsRefused) {
  with_group(2, mock_, [&](api::Group& group) {
    for (const auto& [pointer, bytes] : {std::pair<void*, uint64_t>{nullptr, 64}, {own_[0], 0}}) {
      const Failed failed = failure_of([&] { group.mem_register(pointer, bytes); });
      EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
      EXPECT_THAT(failed.cause, HasSubstr("nothing to register"));
    }
    EXPECT_EQ(failure_of([&] { group.mem_register(own_[0], UINT64_MAX); }).code,
              MUSTER_OUT_OF_RANGE);
  });
}

TEST_F(Memory, GivenAnAllocationThenItsOwnGroupKnowsItAndAnotherMayRegisterIt) {
  World(2).with(mock_).run([](api::Runtime& runtime, uint32_t) {
    api::Group first(runtime);
    api::Group second(runtime);
    void* const memory = alloc(first, 64);
    EXPECT_EQ(failure_of([&] { first.mem_register(memory, 64); }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failure_of([&] { first.mem_deregister(memory); }).remedy,
                HasSubstr("muster_mem_free"));
    second.mem_register(memory, 64);
    second.mem_deregister(memory);
    release(first, memory);
  });
}

TEST_F(Memory, GivenAStartedCallThenItsMemoryIsFreedAfterIt) {
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  std::atomic<int> begun{0};
  std::atomic<int> done{0};
  ON_CALL(mock_, execute).WillByDefault([&](MockGroup&, const muster_call& call) {
    if (++begun == 2) open.set_value();
    gate.wait();
    static_cast<int*>(call.recv)[0] = 1;
    ++done;
  });
  ON_CALL(mock_, memory_deregister).WillByDefault([&](MockGroup&, void*) { EXPECT_EQ(done, 2); });
  with_group(2, mock_, [](api::Group& group) {
    auto* const memory = static_cast<int*>(alloc(group, 64));
    api::Work work = group.start(all_reduce_of(memory, memory, 1));
    release(group, memory);
    work.wait();
  });
}

TEST_F(Memory, GivenABrokenGroupThenFreeingWaitsForNobodyAndTheMemoryEndsWithTheGroup) {
  const CapturedLog log;
  with_group(2, mock_, [](api::Group& group) {
    auto* const memory = static_cast<char*>(alloc(group, 64));
    group.abort();
    EXPECT_EQ(failure_of([&] { alloc(group, 64); }).code, MUSTER_FAILED_PRECONDITION);
    if (group.rank() == 1) return;  // goes without
    release(group, memory);
    memory[0] = 1;  // a peer may still look at it
    EXPECT_EQ(failure_of([&] { release(group, memory); }).code, MUSTER_INVALID_ARGUMENT);
  });
  EXPECT_EQ(log.count("ends with 64 bytes of muster_mem_alloc in 1 pieces"), 1)
      << "of rank 1 alone";
}

TEST_F(Memory, GivenMemoryThatIsLeftOverThenItEndsAfterTheBackendsPartWithAWarning) {
  const CapturedLog log;
  std::atomic<char*> memory{nullptr};
  EXPECT_CALL(mock_, memory_deregister).Times(0);
  ON_CALL(mock_, destroy).WillByDefault([&](MockGroup& group) {
    if (group.rank() == 0) memory.load()[0] = 1;
  });
  with_group(2, mock_, [&](api::Group& group) {
    void* const left = alloc(group, 4096);
    if (group.rank() == 0) memory = static_cast<char*>(left);
    alloc(group, 4096);
    group.barrier();
  });
  EXPECT_EQ(log.count("group group ends with 8192 bytes of muster_mem_alloc in 2 pieces"), 2);
}

TEST_F(Memory, GivenARankThatDoesNotComeThenTheOtherIsToldAndTheGroupIsBroken) {
  std::promise<void> over;
  World(2)
      .with(mock_)
      .config(std::string(World::kMockedConfig) + "[group]\ntimeout_ms = 200\n")
      .run([&](api::Runtime& runtime, uint32_t rank) {
        api::Group group(runtime);
        if (rank == 1) return over.get_future().wait();
        EXPECT_EQ(failure_of([&] { alloc(group, 64); }).code, MUSTER_DEADLINE_EXCEEDED);
        EXPECT_THAT(failure_of([&] { group.barrier(); }).cause, HasSubstr("memory of group"));
        over.set_value();
      });
}

TEST_F(Memory, GivenARankThatHasGoneThenTheOtherIsToldAtOnce) {
  World(2).with(mock_).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    if (rank == 1) return;
    EXPECT_EQ(failure_of([&] { alloc(group, 64); }).code, MUSTER_PEER_LOST);
  });
}

TEST_F(Memory, GivenManyAllocationsThenTheirRecordsDoNotGrowWithThem) {
  World(2).with(mock_).run([](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    release(group, alloc(group, 64));
    const size_t once = runtime.describe().size();
    for (int i = 0; i < 20; ++i) release(group, alloc(group, 64));
    EXPECT_EQ(runtime.describe().size(), once);
  });
}

TEST_F(Memory, GivenABufferThenItIsARangeOfElementsAndFreesItself) {
  EXPECT_CALL(mock_, memory_register).Times(2 * 3);
  EXPECT_CALL(mock_, memory_deregister).Times(2 * 3);
  const CapturedLog log;
  with_group(2, mock_, [](api::Group& group) {
    api::Buffer<float> in(group, 100);
    api::Buffer<float> out(group, 100);
    in[99] = 1;
    EXPECT_EQ(*(in.end() - 1), 1);
    EXPECT_EQ(in.size(), 100u);
    group.all_reduce(in, out, MUSTER_SUM);
    api::Buffer<float> moved = std::move(in);
    EXPECT_EQ(moved[99], 1);
    EXPECT_EQ(in.data(), nullptr);
    moved = api::Buffer<float>(group, 7);
    EXPECT_EQ(moved.size(), 7u);
    out.free();
    EXPECT_EQ(out.size(), 0u);
    const api::Buffer<float> none(group, 0);
    EXPECT_EQ(none.begin(), none.end());
  });
  EXPECT_EQ(log.count("muster_mem_alloc"), 0);
}

TEST_F(Memory, GivenAnExceptionOnOneRankThenItsBufferWaitsForNobody) {
  const CapturedLog log;
  EXPECT_CALL(mock_, memory_deregister).Times(0);
  std::promise<void> unwound;
  // Goes between the buffer and its group.
  struct Between {
    ~Between() {
      EXPECT_EQ(group.get()->attention & kAttentionBroken, 0u) << "nobody came to free it";
      over.set_value();
    }
    api::Group& group;
    std::promise<void>& over;
  };
  const auto failures =
      World(2)
          .with(mock_)
          .config(std::string(World::kMockedConfig) + "[group]\ntimeout_ms = 200\n")
          .failures_of([&](api::Runtime& runtime, uint32_t rank) {
            api::Group group(runtime);
            if (rank == 0) {
              const Between between{group, unwound};
              const api::Buffer<int> buffer(group, 16);
              throw std::runtime_error("a mistake of the program");
            }
            const api::Buffer<int> buffer(group, 16);
            unwound.get_future().wait();
            group.abort();
          });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_THAT(failures[0].text, HasSubstr("a mistake of the program"));
}

}  // namespace
}  // namespace muster::testing
