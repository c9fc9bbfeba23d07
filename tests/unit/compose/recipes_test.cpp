// Every composition computes what the operation means, out of a backend that offers its bases only.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/kernels/registry.hpp"
#include "muster/narrow_float.hpp"
#include "muster/testing/world.hpp"
#include "tests/unit/chain/recipe_keys.hpp"
#include "tests/unit/compose/operands.hpp"
#include "tests/unit/compose/thread_backend.hpp"

namespace muster::testing {
namespace {

constexpr uint32_t kRanks = 3;

std::string text_of(const Shape& shape) {
  return std::string(op_name(shape.op)) + " " + dtype_name(shape.dtype) + " " +
         redop_name(shape.redop) + " count " + std::to_string(shape.count) + " root " +
         std::to_string(shape.root) + (shape.in_place ? " in place" : "") +
         (shape.displaced ? " displaced" : "");
}

// All the ways in which one kind of call can be made.
std::vector<Shape> shapes_of(muster_op op, muster_dtype dtype, muster_redop redop) {
  std::vector<Shape> shapes;
  const bool has_vectors = op == MUSTER_ALL_GATHERV || op == MUSTER_GATHERV ||
                           op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALLV;
  for (const uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{5}, uint64_t{300}}) {
    for (uint32_t root = 0; root < (op_is_rooted(op) ? kRanks : 1u); ++root) {
      for (const bool in_place : {false, true}) {
        if (in_place && (op_is_point_to_point(op) || op == MUSTER_BARRIER)) continue;
        for (const bool displaced : {false, true}) {
          if (displaced && !has_vectors) continue;
          shapes.push_back({op, dtype, redop, count, root, in_place, displaced});
        }
      }
    }
  }
  return shapes;
}

void expect_right(api::Group& group, const Shape& shape) {
  const Operands operands(shape, group.rank(), group.size());
  group.execute(operands.call());
  EXPECT_EQ(operands.bytes(), Operands::expected(shape, group.rank(), group.size()))
      << "rank " << group.rank() << ": " << text_of(shape);
}

class ComposeRecipe : public ::testing::TestWithParam<uint16_t> {};

TEST_P(ComposeRecipe, GivenItsBasesOnlyThenEveryShapeOfTheCallIsRight) {
  const Recipe recipe = static_cast<Recipe>(GetParam());
  const CellKey key = key_for(recipe);
  if (key.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) return;  // has operands of its own, see below
  std::vector<muster_rule> rules;
  std::set<muster_op> bases;
  for (const CellKey& base : recipe_bases(recipe, key)) {
    rules.push_back(exactly(base));
    bases.insert(base.op);
  }
  ThreadBackend backend("base", rules);
  World(kRanks).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    for (const Shape& shape : shapes_of(key.op, key.dtype, key.redop)) {
      const Operands operands(shape, group.rank(), group.size());
      ASSERT_EQ(group.backend(operands.call()), "composed(base)") << text_of(shape);
      expect_right(group, shape);
    }
  });
  for (const muster_op op : backend.seen()) EXPECT_EQ(bases.count(op), 1u) << op_name(op);
  EXPECT_FALSE(backend.seen().empty());
}

INSTANTIATE_TEST_SUITE_P(All, ComposeRecipe, every_recipe(),
                         [](const auto& info) { return recipe_in_words(info.param); });

struct Tower {
  const char* name;
  muster_op op;
};

class ComposeTower : public ::testing::TestWithParam<Tower> {};

TEST_P(ComposeTower, GivenOneOperationOnBytesThenWhatRestsOnItIsRightForEveryDtype) {
  muster_rule rule = rule_for(GetParam().op);
  rule.dtypes = bits({MUSTER_U8});
  ThreadBackend backend("bytes", {rule});
  World(kRanks).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t) {
    api::Group group(runtime);
    for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
      if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || op_is_point_to_point(op)) continue;
      for (const muster_dtype dtype : {MUSTER_I16, MUSTER_BF16, MUSTER_F64, MUSTER_F8E4M3}) {
        for (const muster_redop redop : {MUSTER_SUM, MUSTER_AVG, MUSTER_MAX}) {
          if (op_reduces(op) ? host_reduce(dtype, redop) == nullptr : redop != MUSTER_SUM) continue;
          for (const bool in_place : {false, true})
            expect_right(group, {op, dtype, redop, 7, op_is_rooted(op) ? 1u : 0u, in_place, false});
        }
      }
    }
  });
  for (const muster_op op : backend.seen()) EXPECT_EQ(op, GetParam().op);
}

INSTANTIATE_TEST_SUITE_P(Bases, ComposeTower,
                         ::testing::Values(Tower{"broadcast", MUSTER_BROADCAST},
                                           Tower{"all_gatherv", MUSTER_ALL_GATHERV}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(ComposeMessages, GivenMessagesOfBytesThenAllThreeKindsCarryEveryDtype) {
  muster_rule rule = rule_for_all(kMessages);
  rule.dtypes = bits({MUSTER_U8});
  rule.flags = MUSTER_RULE_UNSIZED;
  ThreadBackend backend("bytes", {rule});
  World(4).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    for (const muster_dtype dtype : {MUSTER_I16, MUSTER_F64}) {
      expect_right(group, {MUSTER_SEND_RECV, dtype, MUSTER_SUM, 9, 0, false, false});
      // Even ranks send to the odd ones.
      const Shape shape{
          rank % 2 == 0 ? MUSTER_SEND : MUSTER_RECV, dtype, MUSTER_SUM, 9, 0, false, false};
      expect_right(group, shape);
    }
  });
}

TEST(ComposeScale, GivenAScalarThenSumsOfEveryCompositionAreOfTheScaledInputs) {
  for (const muster_op base : {MUSTER_ALL_GATHER, MUSTER_REDUCE, MUSTER_ALL_REDUCE}) {
    std::vector<muster_rule> rules = {rule_for(base)};
    if (base == MUSTER_REDUCE) rules.push_back(rule_for(MUSTER_BROADCAST));
    ThreadBackend backend("base", rules);
    World(kRanks).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
      api::Group group(runtime);
      const float factor = 0.5f;
      api::Options scaled;
      scaled.scalar = &factor;
      const std::vector<float> send = {2.0f, static_cast<float>(rank)};
      std::vector<float> recv(2);
      group.all_reduce(send.data(), recv.data(), 2, MUSTER_SUM, scaled);
      EXPECT_EQ(recv, (std::vector<float>{3.0f, 1.5f})) << op_name(base);
      std::vector<float> on_root(2);
      group.reduce(send.data(), on_root.data(), 2, MUSTER_SUM, 2, scaled);
      if (rank == 2) {
        EXPECT_EQ(on_root, (std::vector<float>{3.0f, 1.5f})) << op_name(base);
      }
    });
  }
}

TEST(ComposeFused, GivenAllReduceThenTheNormIsThatOfTheSumAndTheResidual) {
  ThreadBackend backend("base", {rule_for(MUSTER_ALL_REDUCE)});
  World(kRanks).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    constexpr uint64_t kHidden = 16;
    constexpr uint64_t kRows = 3;
    std::vector<float> send(kRows * kHidden);
    std::vector<float> sum(kRows * kHidden);
    std::vector<float> residual(kRows * kHidden);
    std::vector<float> weight(kHidden);
    for (uint64_t i = 0; i < send.size(); ++i) {
      send[i] = static_cast<float>(rank + i % 7);
      sum[i] = static_cast<float>(0 + 1 + 2 + kRanks * (i % 7));
      residual[i] = static_cast<float>(i % 3);
    }
    for (uint64_t i = 0; i < kHidden; ++i) weight[i] = 1.0f + static_cast<float>(i);
    std::vector<float> right(send.size());
    std::vector<float> right_residual(send.size());
    host_rmsnorm(MUSTER_F32)(right.data(), right_residual.data(), sum.data(), residual.data(),
                             weight.data(), kRows, kHidden, 1e-5);
    muster_fused_rmsnorm fused{};
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = kHidden;
    fused.residual = fused.residual_out = residual.data();
    fused.weight = weight.data();
    fused.epsilon = 1e-5;
    std::vector<float> recv = send;  // in place, and so is the residual
    group.fused_all_reduce_rmsnorm(recv.data(), recv.data(), recv.size(), MUSTER_F32, fused);
    EXPECT_EQ(recv, right);
    EXPECT_EQ(residual, right_residual);
    group.fused_all_reduce_rmsnorm(nullptr, nullptr, 0, MUSTER_F32, fused);
  });
}

// A fused call of one row of eight bf16, quantised by four.
struct QuantisedCall {
  std::vector<uint16_t> send, residual, residual_out, weight;
  std::vector<uint8_t> recv = std::vector<uint8_t>(8);
  std::vector<float> scales = {-1, -1};
  muster_fused_rmsnorm fused{};
  muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_BF16);

  explicit QuantisedCall(uint32_t rank) {
    for (uint32_t i = 0; i < 8; ++i) {
      send.push_back(f32_to_bf16(static_cast<float>(rank * 3 + i)));
      residual.push_back(f32_to_bf16(static_cast<float>(i % 3)));
      weight.push_back(f32_to_bf16(0.5f + static_cast<float>(i)));
    }
    residual_out.resize(8);
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = 8;
    fused.quant_group = 4;
    fused.residual = residual.data();
    fused.residual_out = residual_out.data();
    fused.weight = weight.data();
    fused.scale_out = scales.data();
    fused.epsilon = 1e-5;
    call.redop = MUSTER_SUM;
    call.send = send.data();
    call.recv = recv.data();
    call.count = 8;
    call.fused = &fused;
  }
  QuantisedCall(const QuantisedCall&) = delete;
  QuantisedCall& operator=(const QuantisedCall&) = delete;
};

TEST(ComposeFused, GivenAFusedRuleThatDoesNotQuantiseThenOnlyQuantisedCallsAreComposed) {
  for (const bool quantises : {false, true}) {
    muster_rule fused_rule = rule_for(MUSTER_FUSED_ALL_REDUCE_RMSNORM);
    if (quantises) fused_rule.flags = MUSTER_RULE_QUANTISED;
    ThreadBackend backend("base", {rule_for(MUSTER_ALL_REDUCE), fused_rule});
    World(kRanks).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
      api::Group group(runtime);
      QuantisedCall q(rank);
      EXPECT_EQ(group.backend(q.call), quantises ? "base" : "composed(base)");
      EXPECT_EQ(group.fuses(q.call), quantises);
      if (!quantises) {
        EXPECT_NE(group.explain(q.call).find("does not quantise its output"), std::string::npos);
      }
      group.execute(q.call);
      std::vector<uint16_t> sum;
      for (uint32_t i = 0; i < 8; ++i) {
        float value = 0;
        for (uint32_t r = 0; r < kRanks; ++r) value += static_cast<float>(r * 3 + i);
        sum.push_back(f32_to_bf16(value));
      }
      QuantisedCall right(rank);
      host_rmsnorm_quant(MUSTER_BF16)(right.recv.data(), right.scales.data(),
                                      right.residual_out.data(), sum.data(), right.residual.data(),
                                      right.weight.data(), 1, 8, 4, 1e-5);
      EXPECT_EQ(q.recv, right.recv);
      EXPECT_EQ(q.scales, right.scales);
      EXPECT_EQ(q.residual_out, right.residual_out);
      q.fused.quant_group = 0;  // the plain form is the backend's own
      std::vector<uint16_t> recv(8);
      q.call.recv = recv.data();
      EXPECT_EQ(group.backend(q.call), "base");
      group.execute(q.call);
    });
    const std::vector<muster_op> seen = backend.seen();
    EXPECT_EQ(seen[0], quantises ? MUSTER_FUSED_ALL_REDUCE_RMSNORM : MUSTER_ALL_REDUCE);
    EXPECT_EQ(seen.back(), MUSTER_FUSED_ALL_REDUCE_RMSNORM);
  }
}

// Counts that do not fit each other are an error, not a write past the end.
TEST(ComposeCounts, GivenARootThatExpectsOtherCountsThanAreSentThenItSaysSo) {
  ThreadBackend backend(
      "base", {rule_for_all(bits({MUSTER_ALL_GATHER, MUSTER_ALL_GATHERV, MUSTER_BROADCAST}))});
  World(2).with(backend.mock()).run([&](api::Runtime& runtime, uint32_t rank) {
    const auto code_of = [](auto call) {
      try {
        call();
        return muster_code{MUSTER_OK};
      } catch (const api::Error& error) {
        EXPECT_NE(error.cause().find("sends"), std::string::npos) << error.what();
        return error.code();
      }
    };
    const std::vector<int> data(64);
    std::vector<int> out(64);
    {
      api::Group group(runtime);
      const uint64_t counts[] = {2, 3};
      const muster_code code = code_of(
          [&] { group.gatherv(data.data(), rank == 0 ? 2 : 40, out.data(), counts, nullptr, 0); });
      EXPECT_EQ(code, rank == 0 ? MUSTER_MISMATCH : MUSTER_OK);
    }
    {
      api::Group group(runtime);
      const uint64_t counts[] = {2, 3};
      const muster_code code = code_of(
          [&] { group.scatterv(data.data(), counts, nullptr, out.data(), rank == 0 ? 2 : 40, 0); });
      EXPECT_EQ(code, rank == 1 ? MUSTER_MISMATCH : MUSTER_OK);
    }
    {
      api::Group group(runtime);
      // Rank 1 expects more of rank 0 than it sends. Rank 0 finds nothing wrong, and does not wait.
      const uint64_t sent[] = {1, 1};
      const uint64_t expected[] = {rank == 1 ? uint64_t{2} : uint64_t{1}, 1};
      const muster_code code = code_of(
          [&] { group.all_to_allv(data.data(), sent, nullptr, out.data(), expected, nullptr); });
      EXPECT_EQ(code, rank == 1 ? MUSTER_MISMATCH : MUSTER_OK);
    }
  });
}

}  // namespace
}  // namespace muster::testing
