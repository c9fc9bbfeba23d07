// Every reduction: operation x dtype x reduce operation x place x count, against a reference.
#include <gtest/gtest.h>

#include <vector>

#include "muster/narrow_float.hpp"
#include "tests/ranks/mpi/session.hpp"
#include "tests/ranks/reference.hpp"

namespace muster::testing {
namespace {

using Bytes = std::vector<unsigned char>;
using ranks::bytes_of;

constexpr unsigned char kPoison = 0xA5;
constexpr uint64_t kGuard = 16;
constexpr uint32_t kScalar = 1000;  // whose input the scalar is: no rank's

struct Case {
  muster_op op;
  muster_dtype dtype;
  muster_redop redop;
  bool in_place;
  bool scaled;
  uint64_t count;

  std::string text() const {
    return "op " + std::to_string(op) + " dtype " + std::to_string(dtype) + " redop " +
           std::to_string(redop) + (in_place ? " in place" : "") + (scaled ? " scaled" : "") +
           " count " + std::to_string(count);
  }
};

// Of what is defined the plugin leaves out arithmetic on bool, which MPI has not.
bool offered(muster_dtype dtype, muster_redop redop) {
  return ranks::reduces(dtype, redop) && (dtype != MUSTER_BOOL || redop == MUSTER_MIN ||
                                          redop == MUSTER_MAX || redop >= MUSTER_BAND);
}

uint16_t half_of(muster_dtype dtype, float value) {
  return dtype == MUSTER_F16 ? f32_to_f16(value) : f32_to_bf16(value);
}

void run(Group& group, const Case& c) {
  static uint64_t seed = 0;
  ++seed;
  const uint32_t n = group.size();
  const uint32_t rank = group.rank();
  const uint64_t unit = bytes_of(c.dtype);
  const uint32_t root = static_cast<uint32_t>(seed % n);
  std::vector<uint64_t> counts(n, c.count);
  if (c.op == MUSTER_REDUCE_SCATTERV) {
    for (uint32_t r = 0; r < n; ++r) counts[r] = (c.count * (r + 1) + r) % (c.count + 3);
  }
  const bool scatters = c.op == MUSTER_REDUCE_SCATTER || c.op == MUSTER_REDUCE_SCATTERV;
  uint64_t total = scatters ? 0 : c.count;
  uint64_t from = 0;
  for (uint32_t r = 0; scatters && r < n; ++r) {
    if (r < rank) from += counts[r];
    total += counts[r];
  }
  const uint64_t to = scatters ? from + counts[rank] : total;
  const bool receives = c.op != MUSTER_REDUCE || rank == root;

  const bool special = c.redop == MUSTER_MIN || c.redop == MUSTER_MAX;
  Bytes in(total * unit + 1);  // never empty: data() is not null
  ranks::Input{seed, rank, c.dtype, special}.fill(in.data(), 0, total);
  const Bytes before = in;
  Bytes out((to - from) * unit + kGuard, kPoison);
  Bytes scalar(8);
  ranks::Input{seed, kScalar, c.dtype}.fill(scalar.data(), 0, 1);
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = c.op;
  call.dtype = c.dtype;
  call.redop = c.redop;
  call.root = root;
  call.count = c.op == MUSTER_REDUCE_SCATTERV ? 0 : c.count;
  call.recv_counts = c.op == MUSTER_REDUCE_SCATTERV ? counts.data() : nullptr;
  call.send = in.data();
  call.recv = c.in_place ? in.data() + from * unit : out.data();
  if (!receives && !c.in_place) call.recv = nullptr;
  call.flags = c.in_place ? MUSTER_CALL_IN_PLACE : 0;
  call.scalar = c.scaled ? scalar.data() : nullptr;

  const Outcome outcome = group.execute(call);
  ASSERT_TRUE(outcome.ok()) << c.text() << ": " << outcome.cause;
  if (receives) {
    const unsigned char* result = static_cast<const unsigned char*>(call.recv);
    ranks::Wrong wrong;
    ranks::check_reduced({seed, n, c.dtype, c.redop, special, c.scaled ? scalar.data() : nullptr},
                         from, to - from, result, 0, wrong);
    ASSERT_EQ(wrong.count, 0u) << c.text() << ": " << wrong.first;
  }
  if (!c.in_place) {
    ASSERT_EQ(in, before) << c.text() << ": the input was changed";
    const Bytes guard(out.end() - kGuard, out.end());
    ASSERT_EQ(guard, Bytes(kGuard, kPoison)) << c.text() << ": wrote past the end";
  }
}

TEST(Reductions, EveryOperationTypeAndReduceOperationMatchesTheReference) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  for (muster_op op :
       {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_REDUCE_SCATTERV}) {
    for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
      for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
        if (!offered(dtype, redop)) continue;
        for (bool in_place : {false, true}) {
          for (uint64_t count : {0, 1, 7, 301}) {
            run(*group, {op, dtype, redop, in_place, false, count});
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Reductions, AScalarMultipliesEveryInputFirst) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  for (muster_op op :
       {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_REDUCE_SCATTERV}) {
    for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
      if (!offered(dtype, MUSTER_SUM)) continue;
      for (bool in_place : {false, true}) {
        run(*group, {op, dtype, MUSTER_SUM, in_place, true, 61});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Reductions, LargeMessagesAndSixteenBitPiecesMatchTheReference) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  const uint64_t count = session().max_count.size() > 6 ? 600'001 : 6'001;
  for (muster_op op :
       {MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_REDUCE_SCATTERV}) {
    for (muster_dtype dtype : {MUSTER_BF16, MUSTER_F32, MUSTER_U8}) {
      run(*group, {op, dtype, MUSTER_SUM, false, false, count});
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Reductions, SixteenBitFloatsAreRoundedOnce) {
  const auto group = session().group();
  ASSERT_TRUE(group->connected().ok()) << group->connected().cause;
  // With a rounding at every step each 1 would be lost against the large value.
  for (const auto& [dtype, large] :
       {std::pair{MUSTER_BF16, 256.0f}, std::pair{MUSTER_F16, 2048.0f}}) {
    const bool odd = group->size() % 2 == 1;
    const uint16_t in = half_of(dtype, group->rank() == 0 ? large : 1.0f);
    uint16_t out = 0;
    muster_call call{};
    call.struct_size = MUSTER_CALL_SIZE;
    call.op = MUSTER_ALL_REDUCE;
    call.dtype = dtype;
    call.redop = MUSTER_SUM;
    call.count = 1;
    call.send = &in;
    call.recv = &out;
    ASSERT_TRUE(group->execute(call).ok());
    // n-1 ones: exact when even, else halfway and rounded to the even neighbour.
    const auto ones = static_cast<float>(group->size() - 1);
    const float want =
        large + (odd ? ones : static_cast<float>(static_cast<int>(ones + 1) / 4 * 4));
    EXPECT_EQ(out, half_of(dtype, want)) << "dtype " << dtype;
  }
}

}  // namespace
}  // namespace muster::testing
