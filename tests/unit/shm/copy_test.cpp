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
  const muster_host_copy copy = claiming_copy();
  if (copy == nullptr) GTEST_SKIP() << "this processor has none";
  expect_exact(copy, 2000);
}

TEST(Copies, GivenAnyLengthWhenItGoesAroundTheCachesThenItIsExactAndNothingElseIsTouched) {
  const muster_host_copy copy = unfenced_copy();
  if (copy == nullptr) GTEST_SKIP() << "this processor has none";
  expect_exact(copy, 2000);
  fence_copies();
}

TEST(Copies, GivenNothingWhenBuffersAreNullThenNothingHappens) {
  copy_bytes(nullptr, nullptr, 0);
  copy_in_streams(nullptr, nullptr, 0);
}

}  // namespace
}  // namespace muster::shm
