#include "plugins/backends/shm/copy.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace muster::shm {
namespace {

using Bytes = std::vector<unsigned char>;

Bytes pattern(size_t bytes) {
  Bytes made(bytes);
  std::iota(made.begin(), made.end(), static_cast<unsigned char>(1));
  return made;
}

// Copies parts of every length up to a few lines, at every place of a line, between margins.
template <typename Copy>
void expect_exact(const Copy& copy, uint64_t most) {
  constexpr size_t kMargin = 64;
  const Bytes from = pattern(most + 64);
  for (uint64_t bytes = 0; bytes <= most; bytes += bytes < 140 ? 1 : 61) {
    for (const size_t offset : {size_t{0}, size_t{1}, size_t{63}}) {
      Bytes to(kMargin + 64 + most + kMargin, 0xEE);
      Bytes expected = to;
      copy(to.data() + kMargin + offset, from.data() + offset, bytes);
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(offset), bytes,
                  expected.begin() + static_cast<ptrdiff_t>(kMargin + offset));
      ASSERT_EQ(expected, to) << bytes << " bytes at " << offset;
    }
  }
}

TEST(Copies, GivenAnyLengthWhenCopiedInStreamsThenItIsExactAndNothingElseIsTouched) {
  expect_exact(copy_in_streams, 2000);
}

TEST(Copies, GivenAnyLengthWhenLinesAreClaimedAheadThenItIsExactAndNothingElseIsTouched) {
  for (const muster_host_copy copy : {claiming_copy(), taking_over_copy()}) {
    if (copy == nullptr) GTEST_SKIP() << "this processor has none";
    expect_exact(copy, 2000);
  }
}

TEST(Copies, GivenAnyLengthWhenItGoesAroundTheCachesThenItIsExactAndNothingElseIsTouched) {
  const muster_host_copy copy = unfenced_copy();
  if (copy == nullptr) GTEST_SKIP() << "this processor has none";
  expect_exact(copy, 2000);
  fence_copies();
}

// One of three copies at once, in a buffer with margins.
struct Sided {
  Sided(size_t bytes, size_t to_offset, size_t from_offset)
      : from(pattern(bytes + from_offset)),
        to(kMargin + to_offset + bytes + kMargin, 0xEE),
        expected(to),
        // A line begins at the first place, as that of what is shown must.
        begin(kMargin - reinterpret_cast<uintptr_t>(to.data()) % 64 + to_offset) {
    std::copy(from.begin() + static_cast<ptrdiff_t>(from_offset), from.end(),
              expected.begin() + static_cast<ptrdiff_t>(begin));
    copy = {reinterpret_cast<std::byte*>(to.data() + begin),
            reinterpret_cast<const std::byte*>(from.data() + from_offset), bytes};
  }
  static constexpr size_t kMargin = 128;
  Bytes from;
  Bytes to;
  Bytes expected;
  size_t begin;
  Copy copy;
};

TEST(Copies, GivenThreeOfAnyLengthWhenExchangedThenEachIsExactAndNothingElseIsTouched) {
  const ExchangingCopy exchange = exchanging_copy();
  if (exchange == nullptr) GTEST_SKIP() << "this processor has none";
  constexpr size_t kLengths[] = {0, 1, 63, 64, 255, 256, 257, 700, 1024, 3001};
  for (const size_t shown_bytes : kLengths) {
    for (const size_t taken_bytes : kLengths) {
      for (const size_t own_bytes : kLengths) {
        Sided shown(shown_bytes, 0, own_bytes % 64), taken(taken_bytes, shown_bytes % 64, 1),
            own(own_bytes, taken_bytes % 64, 3);
        exchange(shown.copy, taken.copy, own.copy);
        ASSERT_EQ(shown.expected, shown.to) << shown_bytes << taken_bytes << own_bytes;
        ASSERT_EQ(taken.expected, taken.to) << shown_bytes << taken_bytes << own_bytes;
        ASSERT_EQ(own.expected, own.to) << shown_bytes << taken_bytes << own_bytes;
      }
    }
  }
}

TEST(Copies, GivenNothingWhenBuffersAreNullThenNothingHappens) {
  copy_bytes(nullptr, nullptr, 0);
  copy_in_streams(nullptr, nullptr, 0);
}

}  // namespace
}  // namespace muster::shm
