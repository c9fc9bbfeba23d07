// Host memory that others can map, and what plugins are told about it.
#include "core/query/host_memory.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/query/plugin_host.hpp"

namespace muster {
namespace {

using ::testing::HasSubstr;

class HostMemoryTest : public ::testing::Test {
 protected:
  static std::unique_ptr<HostMemory> allocate(uint64_t bytes) {
    auto made = HostMemory::allocate(bytes);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(*made);
  }
  Status ask(const void* pointer, uint64_t bytes) {
    const auto* const table = static_cast<const muster_host_memory*>(
        host_.get_interface(&host_, MUSTER_HOST_MEMORY_INTERFACE));
    return Status(table->backing(&host_, pointer, bytes, &fd_, &offset_));
  }

  Records records_;
  PluginHost host_{"acme", &records_, nullptr};
  int32_t fd_ = -1;
  uint64_t offset_ = 77;
};

TEST_F(HostMemoryTest, GivenAnySizeThenItIsWholeZeroedPagesThatCanBeWritten) {
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, uint64_t{4097}, uint64_t{5} << 20}) {
    const auto memory = allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % 4096, 0u);
    EXPECT_GE(memory->bytes(), bytes);
    EXPECT_EQ(memory->bytes() % 4096, 0u);
    EXPECT_TRUE(std::all_of(memory->data(), memory->data() + bytes,
                            [](std::byte value) { return value == std::byte(0); }));
    memory->data()[bytes - 1] = std::byte(1);
  }
}

TEST_F(HostMemoryTest, GivenAPartOfItThenItsFileAndOffsetAreToldAndMapTheSameMemory) {
  const auto memory = allocate(10'000);
  const auto other = allocate(10'000);
  ASSERT_TRUE(ask(memory->data() + 5000, 7000).ok());
  EXPECT_EQ(offset_, 5000u);
  struct stat facts {};
  ASSERT_EQ(fstat(fd_, &facts), 0);
  EXPECT_EQ(static_cast<uint64_t>(facts.st_size), memory->bytes());
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  EXPECT_EQ(fcntl(fd_, F_GET_SEALS) & kSeals, kSeals);
  void* const again = mmap(nullptr, memory->bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  ASSERT_NE(again, MAP_FAILED);
  memory->data()[5000] = std::byte(9);
  EXPECT_EQ(static_cast<std::byte*>(again)[offset_], std::byte(9));
  munmap(again, memory->bytes());
}

TEST_F(HostMemoryTest, GivenMemoryThatIsNotOfOnePieceThenItIsUnavailableAndNothingIsTold) {
  auto memory = allocate(8192);
  std::byte* const begin = memory->data();
  int own = 0;
  for (const auto& [pointer, bytes] : {std::pair<const void*, uint64_t>{&own, sizeof(own)},
                                       {begin, 8193},
                                       {begin + 8192, 1},
                                       {begin - 1, 2},
                                       {begin + 4096, UINT64_MAX}}) {
    const Status status = ask(pointer, bytes);
    EXPECT_EQ(status.code(), MUSTER_UNAVAILABLE) << bytes;
    EXPECT_THAT(status.remedy(), HasSubstr("muster_mem_alloc"));
  }
  memory.reset();
  EXPECT_EQ(ask(begin, 1).code(), MUSTER_UNAVAILABLE) << "it is freed";
  EXPECT_EQ(fd_, -1);
  EXPECT_EQ(offset_, 77u);
}

TEST_F(HostMemoryTest, GivenMoreThanTheMachineHasThenItIsRefusedInsteadOfPromised) {
  const auto made = HostMemory::allocate(uint64_t{1} << 50);
  EXPECT_EQ(made.status().code(), MUSTER_RESOURCE_EXHAUSTED);
  EXPECT_THAT(made.status().cause(), HasSubstr("this machine has"));
  EXPECT_EQ(HostMemory::allocate(UINT64_MAX).status().code(), MUSTER_RESOURCE_EXHAUSTED);
}

TEST_F(HostMemoryTest, GivenAnotherInterfaceThenThereIsNone) {
  EXPECT_EQ(host_.get_interface(&host_, "muster.host_memory/2"), nullptr);
}

}  // namespace
}  // namespace muster
