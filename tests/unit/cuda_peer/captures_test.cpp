// Regions of a heap, and calls whose buffers become known when their capture ends.
#include "plugins/backends/cuda_peer/captures.hpp"

#include <gmock/gmock.h>

#include "tests/unit/cuda_peer/thread_group.hpp"

namespace muster::cuda_peer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
constexpr uint64_t kBytes = uint64_t{2} << 20;
constexpr uint64_t kHeap = uint64_t{2} << 20;
static_assert(kFlagsAt <= kHeap);

// What a rank has beside its kernels, and memory of the program.
struct Known {
  Known(plugin::Group group, cu::DeviceHandle device, Memory::Kind kind)
      : memory(device, kBytes, kind),
        heap(device, kHeap, Memory::Kind::kPlain),
        words(heap.begin()),
        regions(words),
        captures(group, device, words, regions) {
    std::memset(heap.as<char>(), 0, kHeap);
  }
  // Where this rank has what another one has told of.
  Word place(uint32_t rank, Word told) const {
    const auto region = static_cast<unsigned>(told >> kToldOffsetBits) - 1;
    const Word offset = told & ((Word{1} << kToldOffsetBits) - 1);
    return *heap.as<Word>(region_at(region, rank)) + offset;
  }
  char* buffer(uint64_t offset = 0) const { return memory.as<char>(offset); }
  const Memory memory;
  Memory heap;
  HeapWords words;
  Regions regions;
  Captures captures;
};

Region* add(Known& known, plugin::Group group, cu::DeviceHandle device, Piece piece) {
  SharedPieces shared = share_pieces(group, device, {piece});
  return known.regions.add(piece, shared.pieces[0], std::move(shared.mappings), true);
}

TEST(Regions, GivenRegionsThenWhatIsToldLeadsToTheBufferOnEveryRank) {
  ThreadGroup(2, false).run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kPlain);
    add(known, group, device, {known.memory.begin(), 65536});
    const uint64_t offset = 1024 * (group.rank() + 1);
    const Word told = known.regions.told(known.buffer(offset), 4096);
    ASSERT_NE(told, kToldNothing);
    Word all[2];
    group.all_gather(&told, sizeof(told), all);
    // Threads have plain memory of each other where it is.
    Word begins[2];
    const Word own = known.memory.begin() + offset;
    group.all_gather(&own, sizeof(own), begins);
    for (uint32_t r = 0; r < 2; ++r) EXPECT_EQ(known.place(r, all[r]), begins[r]);
    group.all_gather(&own, sizeof(own), begins);
  });
}

TEST(Regions, GivenABufferThatCannotBeReachedThenNothingIsTold) {
  ThreadGroup(2, false).run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kPlain);
    EXPECT_FALSE(known.regions.any());
    EXPECT_EQ(known.regions.told(known.buffer(), 16), kToldNothing);
    const Region* const region = add(known, group, device, {known.memory.begin() + 4096, 4096});
    EXPECT_TRUE(known.regions.any());
    EXPECT_EQ(known.regions.told(known.buffer(4080), 16), kToldNothing);
    EXPECT_NE(known.regions.told(known.buffer(4096), 4096), kToldNothing);
    EXPECT_EQ(known.regions.told(known.buffer(4096), 4097), kToldNothing);
    EXPECT_EQ(known.regions.told(known.buffer(4104), 16), kToldNothing) << "no packet";
    EXPECT_EQ(known.regions.told(known.buffer(8192), 16), kToldNothing);
    known.regions.remove(region);
    EXPECT_FALSE(known.regions.any());
    EXPECT_EQ(known.regions.told(known.buffer(4096), 16), kToldNothing);
  });
}

TEST(Regions, GivenARegionHasGoneThenItsNumberIsUsedAgain) {
  ThreadGroup(2, false).run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kPlain);
    const auto next = [&](uint64_t offset) {
      return add(known, group, device, {known.memory.begin() + offset, 4096});
    };
    const Region* const first = next(0);
    EXPECT_EQ(first->number, 0u);
    EXPECT_EQ(next(4096)->number, 1u);
    known.regions.remove(first);
    EXPECT_EQ(next(8192)->number, 0u);
    EXPECT_EQ(next(12288)->number, 2u);
  });
}

TEST(Captures, GivenACaptureThatSucceedsThenItsCallsAreToldAndOnlyThese) {
  ThreadGroup ranks(2, true);
  ranks.run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kVirtual);
    known.captures.begin();
    // Rank 0 repeats a buffer where rank 1 does not.
    const uint64_t second = group.rank() == 0 ? 0 : 4096;
    const Word* const slots[] = {known.captures.slot(known.buffer(), 4096),
                                 known.captures.slot(known.buffer(second), 4096),
                                 known.captures.slot(known.buffer(), 4096)};
    for (const Word* const slot : slots) EXPECT_EQ(*slot, kToldNothing);
    known.captures.end(true);
    for (const Word* const slot : slots) ASSERT_NE(*slot, kToldNothing);
    EXPECT_EQ(*slots[0], *slots[2]);
    EXPECT_NE(*slots[0], *slots[1]);
    EXPECT_EQ(known.place(group.rank(), *slots[1]), known.memory.begin() + second);
    // Not by their address: it may be another memory's later.
    EXPECT_FALSE(known.regions.any());
    EXPECT_EQ(known.regions.told(known.buffer(), 4096), kToldNothing);
    uint32_t done = 1;
    uint32_t all[2];
    group.all_gather(&done, sizeof(done), all);
  });
  EXPECT_THAT(ranks.records(0), ElementsAre("registered: 2 of 2 buffers"));
}

TEST(Captures, GivenACaptureThatWasAbortedThenNothingIsLeftOfIt) {
  ThreadGroup ranks(2, true);
  ranks.run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kVirtual);
    known.captures.begin();
    const Word* const aborted = known.captures.slot(known.buffer(), 4096);
    known.captures.end(false);
    EXPECT_EQ(*aborted, kToldNothing);
    known.captures.begin();
    EXPECT_EQ(known.captures.slot(known.buffer(), 4096), aborted) << "its slot is free again";
    known.captures.end(true);
    EXPECT_NE(*aborted, kToldNothing);
    // What has succeeded stays, whatever comes later.
    const Word told = *aborted;
    known.captures.begin();
    EXPECT_NE(known.captures.slot(known.buffer(), 4096), aborted);
    known.captures.end(false);
    EXPECT_EQ(*aborted, told);
  });
  EXPECT_EQ(ranks.records(1).size(), 1u);
}

TEST(Captures, GivenRanksThatCapturedDifferentlyThenNothingIsRegistered) {
  ThreadGroup ranks(2, true);
  ranks.run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kVirtual);
    known.captures.begin();
    const Word* const slot = known.captures.slot(known.buffer(), 4096);
    if (group.rank() == 0) known.captures.slot(known.buffer(4096), 4096);
    known.captures.end(true);
    EXPECT_EQ(*slot, kToldNothing);
  });
  EXPECT_THAT(ranks.records(0),
              ElementsAre("not registered: the ranks have captured different numbers of calls"));
}

TEST(Captures, GivenABufferThatCannotBeSharedThenItsCallsCopyAndTheCauseIsRecorded) {
  ThreadGroup ranks(2, true);
  ranks.run([](plugin::Group group, cu::DeviceHandle device) {
    Known known(group, device, Memory::Kind::kVirtual);
    const Memory odd(device, kBytes, Memory::Kind::kUnshareable);
    known.captures.begin();
    const Word* const good = known.captures.slot(known.buffer(), 4096);
    const Word* const bad = known.captures.slot(odd.as<char>(), 4096);
    known.captures.end(true);
    EXPECT_NE(*good, kToldNothing);
    EXPECT_EQ(*bad, kToldNothing);
  });
  ASSERT_EQ(ranks.records(1).size(), 1u);
  EXPECT_THAT(ranks.records(1)[0],
              testing::StartsWith("not registered: 1 of 2 buffers; the others are copied: the "
                                  "memory of rank 0 lies in virtual memory"));
}

}  // namespace
}  // namespace muster::cuda_peer
