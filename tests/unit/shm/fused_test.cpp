// fused_all_reduce_rmsnorm by shm itself and composed of its all_reduce: the same bits, on every
// rank, and those that the definition allows.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "muster/entry.h"
#include "muster/narrow_float.hpp"
#include "muster/testing/world.hpp"

extern "C" const muster_entry muster_plugin_entry;

namespace muster::testing {
namespace {

using Bytes = std::vector<unsigned char>;

// Small limits, so that short rows go all ways: up to 1 KiB in one shot (a quarter of the option),
// then in slots of 4 KiB, and rows that fit into none.
constexpr const char* kConfig =
    "[plugins]\ninstalled = false\nprobe = \"in-process\"\n[check]\nknown_answer = false\n"
    "[backend.shm]\noptions = { chunk_bytes = 4096, one_shot_bytes = 4096 }\n";
constexpr const char* kForbidden =
    "[[rule]]\nop = \"fused_all_reduce_rmsnorm\"\nforbid = [\"shm\"]\n";

enum class Fill { kRandom, kNan, kInfinite, kZero };

struct Case {
  muster_dtype dtype = MUSTER_F32;
  uint64_t rows = 1;
  uint64_t hidden = 128;
  uint32_t quant_group = 0;
  bool in_place = false;
  bool has_residual = true;
  bool residual_in_place = false;
  bool wants_residual = true;
  bool scaled = false;
  Fill fill = Fill::kRandom;

  uint64_t count() const { return rows * hidden; }
  uint64_t element() const { return MUSTER_DTYPE_BYTES(dtype); }
  std::string text() const {
    return std::string(muster_dtype_name(dtype)) + " " + std::to_string(rows) + " x " +
           std::to_string(hidden) + " group " + std::to_string(quant_group) +
           (in_place ? " in place" : "") + (has_residual ? " residual" : "") +
           (residual_in_place ? " in place" : "") + (wants_residual ? "" : " not wanted") +
           (scaled ? " scaled" : "") + " fill " + std::to_string(static_cast<int>(fill));
  }
};

float decode(muster_dtype dtype, const Bytes& from, uint64_t index) {
  const unsigned char* const at = from.data() + index * MUSTER_DTYPE_BYTES(dtype);
  if (dtype == MUSTER_F32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  uint16_t half;
  std::memcpy(&half, at, sizeof(half));
  return dtype == MUSTER_F16 ? f16_to_f32(half) : bf16_to_f32(half);
}

void encode(muster_dtype dtype, Bytes& to, uint64_t index, float value) {
  unsigned char* const at = to.data() + index * MUSTER_DTYPE_BYTES(dtype);
  if (dtype == MUSTER_F32) {
    std::memcpy(at, &value, sizeof(value));
    return;
  }
  const uint16_t half = dtype == MUSTER_F16 ? f32_to_f16(value) : f32_to_bf16(value);
  std::memcpy(at, &half, sizeof(half));
}

Bytes random_elements(const Case& c, uint64_t count, uint64_t seed) {
  std::mt19937_64 random(seed * 7919 + c.rows * 31 + c.hidden);
  std::normal_distribution<float> normal;
  Bytes out(count * c.element());
  for (uint64_t i = 0; i < count; ++i) encode(c.dtype, out, i, normal(random));
  return out;
}

Bytes send_of(const Case& c, uint32_t rank) {
  Bytes send = random_elements(c, c.count(), rank);
  // In the first row only; the others show that nothing spreads.
  for (uint64_t i = 0; i < c.hidden; ++i) {
    if (c.fill == Fill::kZero) encode(c.dtype, send, i, rank % 2 == 0 ? 0.0f : -0.0f);
    if (i != 3 || rank != 1) continue;
    if (c.fill == Fill::kNan) encode(c.dtype, send, i, NAN);
    if (c.fill == Fill::kInfinite) encode(c.dtype, send, i, INFINITY);
  }
  return send;
}
Bytes residual_of(const Case& c) { return random_elements(c, c.count(), 1000); }
Bytes weight_of(const Case& c) { return random_elements(c, c.hidden, 1001); }
float scalar_of(const Case& c) { return c.scaled ? 0.75f : 1.0f; }

struct Results {
  std::string backend;
  Bytes recv, residual_out;
  std::vector<float> scales;
};

Results run(api::Group& group, const Case& c) {
  Bytes send = send_of(c, group.rank());
  Bytes residual = residual_of(c);
  const Bytes weight = weight_of(c);
  Results r;
  r.recv.assign(c.count() * (c.quant_group == 0 ? c.element() : 1), 0xa5);
  r.residual_out.assign(c.count() * c.element(), 0xa5);
  muster_fused_rmsnorm fused{};
  fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  fused.hidden = c.hidden;
  fused.quant_group = c.quant_group;
  fused.weight = weight.data();
  fused.epsilon = 1e-5;
  if (c.has_residual) fused.residual = residual.data();
  if (c.wants_residual) {
    fused.residual_out = c.residual_in_place ? residual.data() : r.residual_out.data();
  }
  if (c.quant_group != 0) {
    r.scales.assign(c.count() / c.quant_group, -1.0f);
    fused.scale_out = r.scales.data();
  }
  Bytes scalar(4);
  encode(c.dtype, scalar, 0, scalar_of(c));
  muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, c.dtype);
  call.redop = MUSTER_SUM;
  call.send = send.data();
  call.recv = c.in_place ? send.data() : r.recv.data();
  call.count = c.count();
  call.fused = &fused;
  if (c.scaled) call.scalar = scalar.data();
  r.backend = group.backend(call);
  group.execute(call);
  if (c.in_place) r.recv = send;
  if (c.wants_residual && c.residual_in_place) r.residual_out = residual;
  if (c.has_residual && !c.residual_in_place) {
    EXPECT_EQ(residual, residual_of(c)) << c.text();
  }
  if (!c.in_place) {
    EXPECT_EQ(send, send_of(c, group.rank())) << c.text();
  }
  return r;
}

// Every rank's results of every case.
std::vector<std::vector<Results>> run_all(uint32_t ranks, const std::string& config,
                                          const std::vector<Case>& cases) {
  std::vector<std::vector<Results>> all(ranks);
  World(ranks)
      .with(&muster_plugin_entry)
      .config(config)
      .run([&](api::Runtime& runtime, uint32_t rank) {
        api::GroupOptions options;
        options.determinism = MUSTER_SIZE_INVARIANT;
        api::Group group(runtime, options);
        for (const Case& c : cases) all[rank].push_back(run(group, c));
      });
  return all;
}

std::vector<Case> cases_of(muster_dtype dtype) {
  const auto dtype_rows = [&](uint64_t rows, uint64_t hidden, uint32_t group) {
    Case c;
    c.dtype = dtype;
    c.rows = rows;
    c.hidden = hidden;
    c.quant_group = group;
    return c;
  };
  std::vector<Case> cases;
  uint64_t turn = 0;
  for (const auto& [rows, hidden, group] :
       {std::tuple{1u, 128u, 128u}, std::tuple{2u, 48u, 16u}, std::tuple{1u, 1u, 1u},
        std::tuple{3u, 256u, 128u}, std::tuple{41u, 130u, 26u}, std::tuple{9u, 512u, 128u},
        std::tuple{5u, 1024u, 1024u}, std::tuple{3u, 2048u, 128u}, std::tuple{2u, 4104u, 8u}}) {
    for (const uint32_t quant_group : {0u, group}) {
      for (int take = 0; take < 3; ++take, ++turn) {
        Case c = dtype_rows(rows, hidden, quant_group);
        c.in_place = quant_group == 0 && turn % 2 == 1;
        c.has_residual = turn % 4 != 0;
        c.residual_in_place = c.has_residual && turn % 3 == 1;
        c.wants_residual = turn % 5 != 0;
        c.scaled = turn % 7 == 0;
        cases.push_back(c);
      }
      for (const Fill fill : {Fill::kNan, Fill::kInfinite, Fill::kZero}) {
        Case c = dtype_rows(rows, hidden, quant_group);
        c.fill = fill;
        c.has_residual = false;
        cases.push_back(c);
      }
    }
  }
  return cases;
}

double half_unit(muster_dtype dtype) {
  return dtype == MUSTER_F32 ? 0x1p-24 : dtype == MUSTER_F16 ? 0x1p-11 : 0x1p-8;
}

// A row in f64, with what the roundings of the contract may leave.
void expect_row(const Case& c, uint32_t ranks, uint64_t row, const std::vector<Bytes>& sends,
                const Results& results) {
  const double half = half_unit(c.dtype);
  constexpr double kUnit = 0x1p-24;
  const Bytes residual = residual_of(c), weight = weight_of(c);
  std::vector<double> r(c.hidden), error(c.hidden);
  double squares = 0, squares_error = 0;
  for (uint64_t i = 0; i < c.hidden; ++i) {
    double magnitude = 0;
    for (const Bytes& send : sends) {
      const double value =
          static_cast<double>(decode(c.dtype, send, row * c.hidden + i)) * scalar_of(c);
      r[i] += value;
      magnitude += std::abs(value);
    }
    error[i] = half * std::abs(r[i]) + (ranks + 3) * kUnit * magnitude;
    // The smallest steps of f16.
    if (c.dtype == MUSTER_F16) error[i] += 0x1p-25;
    if (c.has_residual) r[i] += decode(c.dtype, residual, row * c.hidden + i);
    error[i] += kUnit * std::abs(r[i]);
    squares += r[i] * r[i];
    squares_error += 2 * std::abs(r[i]) * error[i] + error[i] * error[i];
  }
  const double mean = squares / static_cast<double>(c.hidden) + 1e-5;
  const double norm = 1 / std::sqrt(mean);
  const double norm_error = squares_error / static_cast<double>(c.hidden) / mean +
                            (static_cast<double>(c.hidden) + 8) * kUnit;
  std::vector<double> value(c.hidden), slack(c.hidden);
  for (uint64_t i = 0; i < c.hidden; ++i) {
    const double w = decode(c.dtype, weight, i);
    value[i] = r[i] * norm * w;
    slack[i] = (error[i] * norm * std::abs(w) + std::abs(value[i]) * norm_error) * 1.1 + 1e-30;
    const uint64_t at = row * c.hidden + i;
    if (c.wants_residual) {
      ASSERT_NEAR(decode(c.dtype, results.residual_out, at), r[i],
                  error[i] * 1.01 + half * std::abs(r[i]) + 1e-30)
          << c.text() << " row " << row << " element " << i;
    }
    if (c.quant_group != 0) continue;
    const double smallest = c.dtype == MUSTER_F16 ? 0x1p-25 : 0;
    ASSERT_NEAR(decode(c.dtype, results.recv, at), value[i],
                slack[i] + half * std::abs(value[i]) + smallest)
        << c.text() << " row " << row << " element " << i;
  }
  if (c.quant_group == 0) return;
  for (uint64_t g = 0; g < c.hidden / c.quant_group; ++g) {
    const double scale = results.scales[row * (c.hidden / c.quant_group) + g];
    double largest = 0, largest_slack = 0;
    for (uint64_t i = g * c.quant_group; i < (g + 1) * c.quant_group; ++i) {
      largest = std::max(largest, std::abs(value[i]));
      largest_slack = std::max(largest_slack, slack[i]);
      const double got = f8e4m3_to_f32(results.recv[row * c.hidden + i]) * scale;
      // Three bits of mantissa, down to steps of 2^-9.
      ASSERT_NEAR(got, value[i], slack[i] * 1.1 + std::abs(value[i]) / 16 + scale * 0x1p-10)
          << c.text() << " row " << row << " element " << i;
    }
    ASSERT_NEAR(scale, largest == 0 ? 1 : largest / 448, largest_slack / 448 + largest * 1e-9);
  }
}

void expect_special_row(const Case& c, const Results& results) {
  for (uint64_t i = 0; i < c.hidden; ++i) {
    const float scale = c.quant_group == 0 ? 1.0f : results.scales[i / c.quant_group];
    const float value = c.quant_group == 0 ? decode(c.dtype, results.recv, i)
                                           : f8e4m3_to_f32(results.recv[i]) * scale;
    const bool nan = c.fill == Fill::kNan || (c.fill == Fill::kInfinite && i == 3);
    ASSERT_EQ(std::isnan(value), nan) << c.text() << " element " << i;
    if (!nan) {
      ASSERT_EQ(value, 0.0f) << c.text() << " element " << i;
    }
    ASSERT_EQ(scale, 1.0f) << c.text();
  }
}

class Fused : public ::testing::TestWithParam<std::tuple<uint32_t, muster_dtype>> {};

TEST_P(Fused, GivenRowsOfEveryKindThenNativeAndComposedGiveTheSameRightBitsOnEveryRank) {
  const auto [ranks, dtype] = GetParam();
  const std::vector<Case> cases = cases_of(dtype);
  const auto native = run_all(ranks, kConfig, cases);
  const auto composed = run_all(ranks, std::string(kConfig) + kForbidden, cases);
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    const Results& first = native[0][i];
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      ASSERT_EQ(native[rank][i].backend, "shm");
      ASSERT_EQ(composed[rank][i].backend, "composed(shm)");
      for (const Results* other : {&native[rank][i], &composed[rank][i]}) {
        ASSERT_TRUE(other->recv == first.recv) << c.text() << " rank " << rank;
        ASSERT_TRUE(other->residual_out == first.residual_out) << c.text() << " rank " << rank;
        ASSERT_TRUE(other->scales == first.scales) << c.text() << " rank " << rank;
      }
    }
    std::vector<Bytes> sends;
    for (uint32_t rank = 0; rank < ranks; ++rank) sends.push_back(send_of(c, rank));
    const bool special = c.fill != Fill::kRandom && c.hidden > 3;
    if (special) {
      ASSERT_NO_FATAL_FAILURE(expect_special_row(c, first));
    }
    for (uint64_t row = special ? 1 : 0; row < c.rows; ++row) {
      ASSERT_NO_FATAL_FAILURE(expect_row(c, ranks, row, sends, first));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Worlds, Fused,
                         ::testing::Combine(::testing::Values(2u, 3u, 4u),
                                            ::testing::Values(MUSTER_F16, MUSTER_BF16, MUSTER_F32)),
                         [](const auto& info) {
                           return std::to_string(std::get<0>(info.param)) + "_" +
                                  muster_dtype_name(std::get<1>(info.param));
                         });

muster_call fused_call(const muster_fused_rmsnorm& fused, uint64_t count) {
  muster_call call = muster_call_init(MUSTER_FUSED_ALL_REDUCE_RMSNORM, MUSTER_BF16);
  call.redop = MUSTER_SUM;
  call.count = count;
  call.fused = &fused;
  return call;
}

TEST(FusedQuery, GivenAFusedCallThenExplainAndTheNameTellBeforehandWhichFormRuns) {
  for (const bool forbidden : {false, true}) {
    const std::string config = std::string(kConfig) + (forbidden ? kForbidden : "");
    World(2).with(&muster_plugin_entry).config(config).run([&](api::Runtime& runtime, uint32_t) {
      api::Group group(runtime);
      for (const uint64_t rows : {1, 100}) {
        for (const uint32_t quant_group : {0u, 64u}) {
          std::vector<char> buffers(200'000);
          float scales[200];
          muster_fused_rmsnorm fused{};
          fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
          fused.hidden = 128;
          fused.quant_group = quant_group;
          fused.scale_out = scales;
          fused.weight = buffers.data();
          muster_call call = fused_call(fused, rows * 128);
          const std::string name = forbidden ? "composed(shm)" : "shm";
          const auto json = nlohmann::json::parse(group.explain(call, true));
          EXPECT_EQ(json["answer"], name);
          EXPECT_EQ(std::string(json["call"]).find("quantised") != std::string::npos,
                    quant_group != 0);
          EXPECT_EQ(group.explain(call).find("forbidden") != std::string::npos, forbidden);
          call.send = buffers.data();
          call.recv = buffers.data() + 100'000;
          EXPECT_EQ(group.backend(call), name);
          EXPECT_EQ(group.fuses(call), !forbidden);
        }
      }
      muster_call sum = muster_call_init(MUSTER_ALL_REDUCE, MUSTER_BF16);
      sum.redop = MUSTER_SUM;
      EXPECT_EQ(group.backend(sum), "shm");
    });
  }
}

TEST(FusedFault, GivenAFlipIsAskedForThenOneElementOfThatCallOfThatRankIsWrong) {
  Case c;
  c.dtype = MUSTER_BF16;
  c.rows = 20;
  for (const uint32_t quant_group : {0u, 128u}) {
    c.quant_group = quant_group;
    const std::vector<Case> cases(3, c);
    std::string config = kConfig;
    config.replace(config.find("one_shot_bytes"), 0,
                   "fault_flip_op = \"fused_all_reduce_rmsnorm\", fault_flip_rank = 1, "
                   "fault_flip_call = 1, ");
    const auto right = run_all(2, kConfig, cases);
    const auto spoilt = run_all(2, config, cases);
    for (uint32_t rank = 0; rank < 2; ++rank) {
      for (size_t i = 0; i < cases.size(); ++i) {
        int wrong = 0;
        for (size_t b = 0; b < right[rank][i].recv.size(); ++b)
          wrong += right[rank][i].recv[b] != spoilt[rank][i].recv[b] ? 1 : 0;
        EXPECT_EQ(wrong, rank == 1 && i == 1 ? 1 : 0) << rank << " call " << i;
        EXPECT_EQ(right[rank][i].residual_out, spoilt[rank][i].residual_out);
      }
    }
  }
}

// Within one group, with everything else before and after it.
TEST(FusedSequence, GivenFusedCallsAmongOthersThenNoneMissesAnother) {
  World(3).with(&muster_plugin_entry).config(kConfig).run([](api::Runtime& runtime, uint32_t rank) {
    api::Group group(runtime);
    const std::vector<Case> cases = cases_of(MUSTER_F32);
    for (const Case& c : cases) {
      if (c.fill != Fill::kRandom) continue;
      const Results once = run(group, c);
      std::vector<uint64_t> sum(700, rank);
      group.all_reduce(sum.data(), sum.data(), sum.size(), MUSTER_SUM);
      ASSERT_EQ(sum, std::vector<uint64_t>(700, 3));
      const Results again = run(group, c);
      ASSERT_TRUE(again.recv == once.recv) << c.text();
      group.barrier();
    }
  });
}

}  // namespace
}  // namespace muster::testing
