// Bytes whose length only the sender knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tensors/shm_world.hpp"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;

// Around the block that goes first and the chunks that follow.
const std::vector<size_t> kSizes = {0, 1, 100, 496, 497, 1 << 20, (1 << 20) + 497, 3000000};

std::vector<char> chars(const std::vector<std::byte>& bytes) {
  std::vector<char> out(bytes.size());
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

class Bytes : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Ranks, Bytes, ::testing::Values(1, 2, 3, 4));

TEST_P(Bytes, GivenAnySizeAndRootThenEveryRankGetsThem) {
  on_ranks(GetParam(), [](api::Group& group) {
    for (uint32_t root = 0; root < group.size(); ++root) {
      for (const size_t size : kSizes) {
        const std::vector<char> own =
            group.rank() == root ? pattern(size, root) : std::vector<char>();
        EXPECT_EQ(chars(api::broadcast_bytes(group, own.data(), own.size(), root)),
                  pattern(size, root))
            << size << " from " << root;
      }
    }
  });
}

TEST(BytesMessages, GivenSendsInARowThenTheyArriveInOrder) {
  on_ranks(3, [](api::Group& group) {
    if (group.rank() == 0) {
      for (const size_t size : kSizes) {
        const std::vector<char> own = pattern(size, 5);
        api::send_bytes(group, own.data(), own.size(), 2);
      }
    } else if (group.rank() == 2) {
      for (const size_t size : kSizes)
        EXPECT_EQ(chars(api::recv_bytes(group, 0)), pattern(size, 5)) << size;
    }
    group.barrier();
  });
}

TEST(BytesSink, GivenTheRootThenItsSinkIsCalledOnceWithItsOwnBytesAndRank) {
  on_ranks(2, [](api::Group& group) {
    struct Seen {
      int calls = 0;
      uint32_t index = 77;
      std::string text;
    } seen;
    const auto sink = [](void* context, uint32_t index, const void* data, uint64_t bytes) {
      auto& into = *static_cast<Seen*>(context);
      ++into.calls;
      into.index = index;
      into.text.assign(static_cast<const char*>(data), bytes);
    };
    api::check(muster_broadcast_bytes(group.get(), "hello", 5, 1, sink, &seen));
    EXPECT_EQ(seen.calls, 1);
    EXPECT_EQ(seen.index, 1u);
    EXPECT_EQ(seen.text, "hello");
  });
}

TEST(BytesRefusals, GivenAMistakeOfTheSenderThenTheReceiversAreToldAndTheGroupGoesOn) {
  on_ranks(3, [](api::Group& group) {
    Failed failed = failure_of([&] { api::broadcast_bytes(group, nullptr, 5, 1); });
    EXPECT_EQ(failed.code, MUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(failed.cause, HasSubstr("data is NULL"));
    if (group.rank() != 1) {
      EXPECT_THAT(failed.cause, HasSubstr("rank 1 of group"));
    }

    if (group.rank() == 0)
      failed = failure_of([&] { api::send_bytes(group, &failed, UINT64_MAX, 2); });
    if (group.rank() == 2) failed = failure_of([&] { api::recv_bytes(group, 0); });
    if (group.rank() != 1) {
      EXPECT_EQ(failed.code, MUSTER_OUT_OF_RANGE);
    }

    EXPECT_EQ(failure_of([&] { api::broadcast_bytes(group, "", 0, 3); }).code,
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(failure_of([&] { api::send_bytes(group, "", 0, group.rank()); }).code,
              MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(failure_of([&] { api::recv_bytes(group, 3); }).code, MUSTER_INVALID_ARGUMENT);
    EXPECT_EQ(api::broadcast_bytes(group, "x", 1, 0).size(), 1u);
  });
}

}  // namespace
}  // namespace muster::testing
