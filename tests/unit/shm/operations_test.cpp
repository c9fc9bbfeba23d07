// Every operation, alone and in sequences, on ranks that are threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/names.hpp"
#include "muster/narrow_float.hpp"
#include "tests/unit/shm/exchange.hpp"
#include "tests/unit/shm/test_host.hpp"

namespace muster::shm_test {
namespace {

// Small limits put every edge within reach of small counts.
constexpr uint64_t kOneShot = 1024;
Options small(const std::string& direct_bytes) {
  return {{"chunk_bytes", "4096"},
          {"box_bytes", "192"},
          {"one_shot_bytes", std::to_string(kOneShot)},
          {"direct_bytes", direct_bytes}};
}

void run_and_check(Rank& rank, const std::vector<Exchange>& exchanges) {
  // All sides first: nothing but the operations themselves keeps the ranks together.
  std::vector<std::unique_ptr<Side>> sides;
  for (const Exchange& exchange : exchanges) sides.push_back(side_of(exchange, rank.rank()));
  for (size_t i = 0; i < exchanges.size(); ++i) {
    if (!sides[i]->takes_part) continue;
    const Status status = rank.execute(sides[i]->call);
    ASSERT_TRUE(status.ok()) << status.message() << " in " << i << ": " << exchanges[i].text();
  }
  for (size_t i = 0; i < exchanges.size(); ++i) {
    ASSERT_TRUE(sides[i]->recv == sides[i]->expected)
        << "rank " << rank.rank() << ": " << exchanges[i].text();
  }
}

void run_on(uint32_t size, const Options& options, const std::vector<Exchange>& exchanges) {
  World world(size, options);
  run_ranks(world, [&](Rank& rank) { run_and_check(rank, exchanges); });
}

std::vector<uint64_t> edge_counts(muster_dtype dtype) {
  const uint64_t element = dtype_size(dtype);
  std::vector<uint64_t> counts = {0, 1, 17};
  for (const uint64_t edge : {kOneShot, uint64_t{4096}, uint64_t{8192}}) {
    for (const int beside : {-1, 0, 1}) {
      counts.push_back(edge / element + static_cast<uint64_t>(beside));
    }
  }
  return counts;
}

// Ranks, and from which size on operands that all can see are not staged.
class Operations : public testing::TestWithParam<std::tuple<uint32_t, uint64_t>> {
 protected:
  static uint32_t ranks() { return std::get<0>(GetParam()); }
  static std::string direct_bytes() { return std::to_string(std::get<1>(GetParam())); }
  static Options small() { return shm_test::small(direct_bytes()); }
  static std::vector<Exchange> random_exchanges(uint64_t seed, int number, uint64_t most) {
    std::mt19937_64 random(seed + ranks());
    std::vector<Exchange> exchanges;
    for (int i = 0; i < number; ++i) exchanges.push_back(random_exchange(random, ranks(), most));
    return exchanges;
  }
};

TEST_P(Operations, GivenEveryDtypeAndRedopThenAllReduceIsBitExactAtEveryEdge) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.dtype = MUSTER_I8; x.dtype <= MUSTER_F64; ++x.dtype) {
    const std::vector<uint64_t> counts = edge_counts(x.dtype);
    for (x.redop = MUSTER_SUM; x.redop < MUSTER_REDOP_END; ++x.redop) {
      if (!redop_applies(x.redop, x.dtype)) continue;
      for (int take = 0; take < 3; ++take) {  // all counts over a few reduce operations
        x.count = counts[(++x.seed) % counts.size()];
        x.in_place = x.seed % 2 == 0;
        x.scaled = x.redop == MUSTER_SUM && take == 1;
        exchanges.push_back(x);
      }
    }
  }
  run_on(ranks(), small(), exchanges);
}

TEST_P(Operations, GivenEveryOperationAtEveryEdgeThenResultsAreExactAndNothingElseIsTouched) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.op = MUSTER_ALL_REDUCE; x.op < MUSTER_OP_END; ++x.op) {
    if (x.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || x.op == MUSTER_RECV) continue;
    const bool pointwise = op_is_point_to_point(x.op);
    x.dtype = x.op % 2 == 0 ? MUSTER_BF16 : MUSTER_F32;
    x.redop = op_reduces(x.op) ? MUSTER_SUM : MUSTER_REDOP_NONE;
    for (const uint64_t count : edge_counts(x.dtype)) {
      for (const bool in_place : {false, true}) {
        if (pointwise && in_place) continue;
        x.count = count;
        x.in_place = in_place;
        x.root = static_cast<uint32_t>(++x.seed % x.size);
        x.peer = (x.root + 1) % x.size;
        x.gaps = x.seed % 3 == 0;
        exchanges.push_back(x);
      }
    }
  }
  run_on(ranks(), small(), exchanges);
}

TEST_P(Operations, GivenAMegabyteWithTheDefaultsThenEveryOperationIsExact) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.op = MUSTER_ALL_REDUCE; x.op < MUSTER_OP_END; ++x.op) {
    if (x.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM || x.op == MUSTER_RECV) continue;
    const bool blocks = !op_is_point_to_point(x.op) && x.op != MUSTER_ALL_REDUCE &&
                        x.op != MUSTER_REDUCE && x.op != MUSTER_BROADCAST;
    x.dtype = x.op % 2 == 0 ? MUSTER_F32 : MUSTER_F16;
    x.redop = op_reduces(x.op) ? MUSTER_MAX : MUSTER_REDOP_NONE;
    x.count = (1'000'003 / dtype_size(x.dtype)) / (blocks ? x.size : 1);
    x.in_place = x.op % 3 == 0 && !op_is_point_to_point(x.op);
    ++x.seed;
    exchanges.push_back(x);
  }
  run_on(ranks(), {{"direct_bytes", direct_bytes()}}, exchanges);
}

// SGLang's shared memory hangs here: a fast rank overwrote what a slow one had not seen.
TEST_P(Operations, GivenRandomOperationsBackToBackThenNoneMissesAnother) {
  const std::vector<Exchange> exchanges = random_exchanges(20240, 300, 6000);
  run_on(ranks(), small(), exchanges);
}

TEST_P(Operations, GivenEpochsThatStartBelow32BitsThenTheyCrossUnnoticed) {
  const std::vector<Exchange> exchanges = random_exchanges(77, 150, 2000);
  for (const char* start : {"4294967295", "4294967200"}) {
    Options options = small();
    options["epoch_start"] = start;
    run_on(ranks(), options, exchanges);
  }
}

TEST_P(Operations, GivenAlternatingReductionsAndGathersThenNoRankIsLeftBehind) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.seed = 1; x.seed <= 60; ++x.seed) {
    x.op = x.seed % 2 == 0 ? MUSTER_ALL_GATHER : MUSTER_ALL_REDUCE;
    x.redop = x.op == MUSTER_ALL_REDUCE ? MUSTER_SUM : MUSTER_REDOP_NONE;
    x.count = 3000;
    exchanges.push_back(x);
  }
  run_on(ranks(), small(), exchanges);
}

// What is shown goes around the caches, and is taken in several streams.
TEST_P(Operations, GivenRanksThatAreFarThenRandomOperationsAreExact) {
  const std::vector<Exchange> exchanges = random_exchanges(4711, 300, 20000);
  Options options = small();
  options["far_ns"] = "1";
  options["far_bytes"] = "64";
  // Of messages in small boxes the last chunk is often so short that it lies in the box's header.
  for (const char* box_bytes : {"8192", "128"}) {
    options["box_bytes"] = box_bytes;
    run_on(ranks(), options, exchanges);
  }
}

TEST_P(Operations, GivenResultsThatGoAroundTheCachesThenRandomOperationsAreExact) {
  const std::vector<Exchange> exchanges = random_exchanges(815, 300, 20000);
  Options options = small();
  options["stream_bytes"] = "2000";
  run_on(ranks(), options, exchanges);
}

// Two far ranks reduce to a root in one shot at any size. What both know of the distance changes
// with who showed last, and after the first looks: they must go the same way all the time.
TEST_P(Operations, GivenFarRanksAndChangingRootsThenAllGoTheSameWay) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.seed = 1; x.seed <= 60; ++x.seed) {
    constexpr muster_op kOps[] = {MUSTER_REDUCE, MUSTER_REDUCE, MUSTER_GATHER, MUSTER_REDUCE,
                                  MUSTER_BROADCAST};
    x.op = kOps[x.seed % 5];
    x.redop = x.op == MUSTER_REDUCE ? MUSTER_SUM : MUSTER_REDOP_NONE;
    x.root = static_cast<uint32_t>(x.seed / 3) % x.size;
    x.count = 3000 + 4000 * (x.seed % 4);
    x.in_place = x.seed % 7 == 0;
    exchanges.push_back(x);
  }
  Options options = small();
  options["far_ns"] = "1";
  run_on(ranks(), options, exchanges);
}

// In several steps.
TEST_P(Operations, GivenResultsWrittenAroundTheCachesThenGathersAreExact) {
  std::vector<Exchange> exchanges;
  Exchange x;
  x.size = ranks();
  for (x.seed = 1; x.seed <= 8; ++x.seed) {
    x.op = x.seed % 2 == 0 ? MUSTER_ALL_GATHER : MUSTER_ALL_GATHERV;
    x.count = 3000 + 3000 * x.seed;
    x.in_place = x.seed % 3 == 0;
    exchanges.push_back(x);
  }
  Options options = small();
  options["stream_bytes"] = "4096";
  run_on(ranks(), options, exchanges);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Operations,
                         testing::Combine(testing::Values(2u, 3u, 5u, 8u),
                                          testing::Values(uint64_t{0}, uint64_t{1} << 30)));

double decoded(muster_dtype dtype, const unsigned char* at) {
  uint16_t half;
  float single;
  double value;
  switch (dtype) {
    case MUSTER_F16:
    case MUSTER_BF16:
      std::memcpy(&half, at, sizeof(half));
      return dtype == MUSTER_F16 ? f16_to_f32(half) : bf16_to_f32(half);
    case MUSTER_F32:
      std::memcpy(&single, at, sizeof(single));
      return single;
    default:
      std::memcpy(&value, at, sizeof(value));
      return value;
  }
}

// Against long double: one rounding of the result, and those of an accumulation in f32 (f64).
TEST(Precision, GivenFloatsThenReductionsAreWithinTheirRoundings) {
  constexpr uint32_t kSize = 5;
  constexpr uint64_t kCount = 5000;
  struct Format {
    muster_dtype dtype;
    long double result_unit, work_unit;
  };
  World world(kSize, small("0"));
  run_ranks(world, [&](Rank& rank) {
    for (const Format& format :
         {Format{MUSTER_F16, 0x1p-11L, 0x1p-24L}, Format{MUSTER_BF16, 0x1p-8L, 0x1p-24L},
          Format{MUSTER_F32, 0x1p-24L, 0x1p-24L}, Format{MUSTER_F64, 0x1p-53L, 0x1p-53L}}) {
      for (const muster_redop redop : {MUSTER_SUM, MUSTER_AVG, MUSTER_PROD, MUSTER_MIN}) {
        Exchange x;
        x.dtype = format.dtype;
        x.redop = redop;
        x.size = kSize;
        x.count = kCount;
        const std::unique_ptr<Side> side = side_of(x, rank.rank());
        ASSERT_TRUE(rank.execute(side->call).ok());
        std::vector<Bytes> inputs;
        for (uint32_t r = 0; r < kSize; ++r) {
          inputs.push_back(random_elements(x.dtype, kCount, x.seed * 1000 + r));
        }
        for (uint64_t i = 0; i < kCount; ++i) {
          const uint64_t at = i * dtype_size(x.dtype);
          long double sum = 0, product = 1, least = INFINITY, weight = 0;
          for (const Bytes& input : inputs) {
            const long double value = decoded(x.dtype, input.data() + at);
            sum += value;
            weight += std::abs(value);
            product *= value;
            least = std::min(least, value);
          }
          long double exact = least, slack = 0;
          if (redop == MUSTER_SUM) exact = sum, slack = weight * kSize * format.work_unit;
          if (redop == MUSTER_AVG) exact = sum / kSize, slack = weight * 2 * format.work_unit;
          if (redop == MUSTER_PROD) exact = product;
          if (redop == MUSTER_PROD) slack = std::abs(product) * kSize * format.work_unit;
          // 2^-25: half a unit of the smallest f16s
          slack += std::abs(exact) * format.result_unit + (x.dtype == MUSTER_F16 ? 0x1p-25L : 0);
          const long double found = decoded(x.dtype, side->recv.data() + at);
          ASSERT_LE(std::abs(found - exact), slack)
              << dtype_name(x.dtype) << ' ' << redop_name(redop) << " at " << i;
        }
      }
    }
  });
}

}  // namespace
}  // namespace muster::shm_test
