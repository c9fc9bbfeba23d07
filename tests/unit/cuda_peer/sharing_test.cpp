// Pieces of memory that all ranks map, and what is refused.
#include "plugins/backends/cuda_peer/sharing.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/unit/cuda_peer/thread_group.hpp"

namespace muster::cuda_peer {
namespace {

using testing::HasSubstr;
constexpr uint64_t kMemoryBytes = uint64_t{2} << 20;

// A variable of the environment, for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

int open_ipc_mappings() {
  void* const file = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<int (*)()>(dlsym(file, "simulatedIpcMappings"))();
}

// Every rank writes through what it has of the others, and finds what they have written.
void expect_shared(ThreadGroup& ranks, Memory::Kind kind, uint32_t size) {
  ranks.run([&](plugin::Group group, cu::DeviceHandle device) {
    const uint32_t rank = group.rank();
    const Memory memory(device, kMemoryBytes, kind);
    // Not at equal offsets.
    const uint64_t offset = 64 * rank;
    {
      const SharedPieces shared = share_pieces(group, device, {{memory.begin() + offset, 4096}});
      ASSERT_EQ(shared.pieces.size(), 1u);
      ASSERT_EQ(shared.pieces[0].refused, "");
      EXPECT_EQ(shared.pieces[0].at[rank], memory.begin() + offset);
      for (uint32_t r = 0; r < size; ++r)
        static_cast<uint32_t*>(cu::host_pointer(shared.pieces[0].at[r]))[rank] = 100 * r + rank;
      uint32_t done = 1;
      std::vector<uint32_t> all(size);
      group.all_gather(&done, sizeof(done), all.data());
      for (uint32_t r = 0; r < size; ++r) EXPECT_EQ(memory.as<uint32_t>(offset)[r], 100 * rank + r);
      group.all_gather(&done, sizeof(done), all.data());
    }
  });
}

TEST(Sharing, GivenVirtualMemoryThenItIsMappedByDescriptors) {
  ThreadGroup ranks(3, true);
  expect_shared(ranks, Memory::Kind::kVirtual, 3);
}

TEST(Sharing, GivenPlainMemoryThenItIsMappedByIpcAndUnmapped) {
  ThreadGroup ranks(3, true);
  expect_shared(ranks, Memory::Kind::kPlain, 3);
  EXPECT_EQ(open_ipc_mappings(), 0);
}

TEST(Sharing, GivenThreadsOfOneProcessThenNothingIsExported) {
  const Environment none("SIMULATED_CUDA_FAIL",
                         "cuMemExportToShareableHandle=801,cuIpcGetMemHandle=801");
  ThreadGroup ranks(2, false);
  expect_shared(ranks, Memory::Kind::kVirtual, 2);
  expect_shared(ranks, Memory::Kind::kPlain, 2);
}

// What all ranks say of a piece that the last one gives.
void expect_refused(bool processes, const std::string& cause,
                    const std::function<Piece(const Memory&, uint32_t)>& piece_of,
                    Memory::Kind odd = Memory::Kind::kVirtual) {
  ThreadGroup ranks(2, processes);
  ranks.run([&](plugin::Group group, cu::DeviceHandle device) {
    const Memory memory(device, kMemoryBytes, group.rank() == 1 ? odd : Memory::Kind::kVirtual);
    const SharedPieces shared =
        share_pieces(group, device, {{memory.begin(), 4096}, piece_of(memory, group.rank())});
    EXPECT_THAT(shared.pieces[1].refused, HasSubstr(cause));
    const bool first_fits = odd == Memory::Kind::kVirtual;
    EXPECT_EQ(shared.pieces[0].refused.empty(), first_fits || cause.empty());
  });
}

TEST(Sharing, GivenMemoryOfTheHostThenTheRankIsNamedEverywhere) {
  static char host[4096];
  expect_refused(true, "the memory of rank 1 is no memory of a device",
                 [](const Memory& memory, uint32_t rank) -> Piece {
                   return {rank == 1 ? cu::device_pointer(host) : memory.begin(), 4096};
                 });
}

TEST(Sharing, GivenAPieceBeyondItsAllocationThenItIsRefused) {
  expect_refused(true, "the memory of rank 1 lies in several allocations",
                 [](const Memory& memory, uint32_t rank) -> Piece {
                   return {memory.begin() + (rank == 1 ? kMemoryBytes - 16 : 0), 4096};
                 });
}

TEST(Sharing, GivenVirtualMemoryWithoutDescriptorThenItIsRefusedBetweenProcessesOnly) {
  const auto whole = [](const Memory& memory, uint32_t) -> Piece { return {memory.begin(), 4096}; };
  expect_refused(true, "the memory of rank 1 lies in virtual memory that was made without", whole,
                 Memory::Kind::kUnshareable);
  expect_refused(false, "", whole, Memory::Kind::kUnshareable);
}

TEST(Sharing, GivenDifferentSizesThenBothAreNamed) {
  expect_refused(true, "rank 1 gives 8192 bytes, rank 0 4096",
                 [](const Memory& memory, uint32_t rank) -> Piece {
                   return {memory.begin(), rank == 1 ? 8192u : 4096u};
                 });
}

TEST(Sharing, GivenAMappingThatFailsOnOneRankThenAllSayWhichAndWhy) {
  const Environment failing("SIMULATED_CUDA_FAIL", "cuMemImportFromShareableHandle=2@2");
  ThreadGroup ranks(2, true);
  ranks.run([&](plugin::Group group, cu::DeviceHandle device) {
    const Memory memory(device, kMemoryBytes, Memory::Kind::kVirtual);
    const SharedPieces shared = share_pieces(group, device, {{memory.begin(), 4096}});
    EXPECT_THAT(shared.pieces[0].refused, HasSubstr("cannot be mapped: "
                                                    "cuMemImportFromShareableHandle: "
                                                    "CUDA_ERROR_OUT_OF_MEMORY"));
  });
}

}  // namespace
}  // namespace muster::cuda_peer
