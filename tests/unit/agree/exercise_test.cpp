// Calls with known answers: right results are found right, wrong ones wrong, and where.
#include "core/agree/exercise.hpp"

#include <gtest/gtest.h>

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
}

TEST(Exercise, GivenACallThenItIsDescribedForPeople) {
  EXPECT_EQ(Exercise(MUSTER_ALL_REDUCE, MUSTER_BF16, MUSTER_SUM, 5, 0, 2).describe(),
            "all_reduce bf16 sum count 5");
  EXPECT_EQ(Exercise(MUSTER_GATHER, MUSTER_U8, 0, 7, 0, 2).describe(), "gather u8 count 7");
  EXPECT_EQ(Exercise(MUSTER_BARRIER, 0, 0, 0, 0, 2).describe(), "barrier");
}

}  // namespace
}  // namespace muster::testing
