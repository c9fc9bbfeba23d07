// Calls with known answers: right results are found right, wrong ones wrong, and where.
#include "core/agree/exercise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/agree/test_values.hpp"
#include "core/base/names.hpp"
#include "core/kernels/registry.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

// Every rank's exercise of one call, carried out honestly.
std::vector<std::unique_ptr<Exercise>> solved(muster_op op, muster_dtype dtype, muster_redop redop,
                                              uint64_t count, uint32_t size, uint64_t round) {
  std::vector<std::unique_ptr<Exercise>> exercises;
  std::vector<const muster_call*> calls;
  for (uint32_t r = 0; r < size; ++r) {
    exercises.push_back(std::make_unique<Exercise>(op, dtype, redop, count, r, size));
    exercises.back()->fill(round);
    calls.push_back(&exercises.back()->call());
  }
  std::vector<std::vector<Piece>> results;
  for (uint32_t r = 0; r < size; ++r) results.push_back(result_of(calls, r));
  for (uint32_t r = 0; r < size; ++r) write_pieces(calls[r]->recv, results[r]);
  return exercises;
}

TEST(Exercise, GivenAnHonestResultOfAnyCallThenNothingIsWrong) {
  for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
    if (op == MUSTER_SEND || op == MUSTER_RECV) continue;
    const bool fused = op == MUSTER_FUSED_ALL_REDUCE_RMSNORM;
    for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
        if (op_reduces(op) && (!redop_applies(redop, dtype) || dtype >= MUSTER_F8E4M3)) continue;
        if (!op_reduces(op) && redop != MUSTER_SUM) continue;
        if (!Exercise::is_exact(op, dtype, redop, 3)) continue;
        if (fused && (redop != MUSTER_SUM || host_rmsnorm(dtype) == nullptr)) continue;
        for (const uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{5}, uint64_t{64}}) {
          for (const auto& exercise : solved(op, dtype, redop, count, 3, 1)) {
            EXPECT_EQ(exercise->check().count, 0u)
                << exercise->describe() << " first " << exercise->check().first << " "
                << exercise->check().got << " instead of " << exercise->check().right;
          }
        }
      }
    }
  }
}

TEST(Exercise, GivenOneWrongElementThenItIsCountedAndNamed) {
  auto exercises = solved(MUSTER_ALL_REDUCE, MUSTER_I32, MUSTER_SUM, 16, 4, 0);
  const Exercise& exercise = *exercises[2];
  const double right = load_value(MUSTER_I32, exercise.call().recv, 9);
  store_value(MUSTER_I32, exercise.call().recv, 9, static_cast<int64_t>(right) + 1);
  const Exercise::Wrong wrong = exercise.check();
  EXPECT_EQ(wrong.count, 1u);
  EXPECT_EQ(wrong.first, 9u);
  EXPECT_EQ(wrong.right, right);
  EXPECT_EQ(wrong.got, right + 1);
}

TEST(Exercise, GivenACallThatWasNotCarriedOutThenItIsFound) {
  for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_ALL_GATHER, MUSTER_SCATTER,
                             MUSTER_ALL_TO_ALL, MUSTER_SEND_RECV, MUSTER_REDUCE_SCATTER}) {
    for (muster_dtype dtype = MUSTER_I8; dtype < MUSTER_DTYPE_END; ++dtype) {
      Exercise exercise(op, dtype, MUSTER_SUM, 8, 1, 4);
      exercise.fill(3);
      EXPECT_EQ(exercise.check().count > 0, true) << exercise.describe();
    }
  }
}

TEST(Exercise, GivenTheResultOfAnotherRoundThenItIsFound) {
  auto exercises = solved(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_SUM, 64, 2, 0);
  std::vector<float> stale(64);
  std::memcpy(stale.data(), exercises[0]->call().recv, 256);
  exercises[0]->fill(1);
  std::memcpy(exercises[0]->call().recv, stale.data(), 256);
  EXPECT_GT(exercises[0]->check().count, 0u);
}

TEST(Exercise, GivenALargeGroupThenOnlyWhatIsStillExactIsAsked) {
  EXPECT_TRUE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 80));
  EXPECT_FALSE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 81));
  EXPECT_FALSE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_F32, MUSTER_PROD, 13));
  EXPECT_TRUE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_I32, MUSTER_SUM, 100000));
  EXPECT_TRUE(Exercise::is_exact(MUSTER_ALL_GATHER, MUSTER_BF16, MUSTER_REDOP_NONE, 100000));
  EXPECT_FALSE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_BOOL, MUSTER_SUM, 2));
  EXPECT_FALSE(Exercise::is_exact(MUSTER_ALL_REDUCE, MUSTER_F8E4M3, MUSTER_SUM, 2));
  EXPECT_TRUE(Exercise::is_exact(MUSTER_ALL_GATHER, MUSTER_F8E4M3, MUSTER_REDOP_NONE, 2));
}

// Carries out a routed call by hand: blocks are packed in the order of ranks on both sides.
TEST(Exercise, GivenARoutedCallThenWhatArrivedIsCheckedAgainstItsSource) {
  const std::vector<uint64_t> elements = {1, 2, 0, 4, 0, 3, 2, 5, 1};
  const uint32_t size = 3;
  std::vector<Exercise> exercises;
  for (uint32_t r = 0; r < size; ++r) {
    exercises.push_back(Exercise::routed(MUSTER_I32, elements, r, size));
    exercises.back().fill(3);
    EXPECT_EQ(exercises.back().bytes(), 8 * sizeof(int32_t));  // rank 2 sends the most
  }
  for (uint32_t to = 0; to < size; ++to) {
    const muster_call& into = exercises[to].call();
    auto* at = static_cast<int32_t*>(into.recv);
    uint64_t before_to = 0;
    for (uint32_t from = 0; from < size; ++from) {
      const muster_call& out = exercises[from].call();
      ASSERT_EQ(out.send_counts[to], elements[from * size + to]);
      ASSERT_EQ(into.recv_counts[from], elements[from * size + to]);
      before_to = 0;
      for (uint32_t r = 0; r < to; ++r) before_to += out.send_counts[r];
      const auto* source = static_cast<const int32_t*>(out.send) + before_to;
      at = std::copy(source, source + out.send_counts[to], at);
    }
    EXPECT_EQ(exercises[to].check().count, 0u);
  }
  static_cast<int32_t*>(exercises[1].call().recv)[3] += 1;
  const Exercise::Wrong wrong = exercises[1].check();
  EXPECT_EQ(wrong.count, 1u);
  EXPECT_EQ(wrong.first, 3u);
}

TEST(Exercise, GivenACallThenItIsDescribedForPeople) {
  EXPECT_EQ(Exercise(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 5, 0, 2).describe(),
            "all_reduce bf16 sum count 5");
  EXPECT_EQ(Exercise(MUSTER_GATHER, MUSTER_U8, 0, 7, 0, 2).describe(), "gather u8 count 7");
  EXPECT_EQ(Exercise(MUSTER_BARRIER, 0, 0, 0, 0, 2).describe(), "barrier");
}

}  // namespace
}  // namespace muster::testing
