// An engine under test without hardware: eight ranks as threads on a mock decode tokens in tensor
// parallelism (two groups of four) with experts spread over all eight, and must find the tokens
// that one rank finds alone.
#include <gtest/gtest.h>

#include "muster/testing/world.hpp"
#include "tests/examples/toy_model.hpp"

namespace example {
namespace {

using muster::api::Group;
using muster::api::GroupOptions;
using muster::api::Runtime;
using muster::testing::Call;
using muster::testing::MockBackend;
using muster::testing::World;
using ::testing::_;

constexpr uint32_t kRanks = 8;
constexpr uint32_t kTensorRanks = 4;

GroupOptions named(const char* name) {
  GroupOptions options;
  options.name = name;
  return options;
}

// One rank of the engine.
class Engine {
 public:
  Engine(Runtime& runtime, uint32_t rank)
      : tensor_(runtime, ranks_beside(rank), named("tp")), experts_(runtime, named("ep")) {}

  std::vector<uint32_t> decode(uint32_t token) {
    std::vector<uint32_t> tokens;
    for (uint32_t step = 0; step < kSteps; ++step) {
      State x = embedding(token);
      for (uint32_t layer = 0; layer < kLayers; ++layer) x = mixed(layer, attended(layer, x));
      tokens.push_back(token = best_of(all_logits(x)));
    }
    return tokens;
  }

 private:
  struct Attended {
    State residual;
    State normed;
  };

  static std::vector<uint32_t> ranks_beside(uint32_t rank) {
    const uint32_t first = rank / kTensorRanks * kTensorRanks;
    return {first, first + 1, first + 2, first + 3};
  }

  Attended attended(uint32_t layer, const State& x) {
    State part = part_of(1, layer, tensor_.rank(), x);
    tensor_.all_reduce(part, part, MUSTER_SUM);
    const State out = part_of(2, layer, tensor_.rank(), part);
    static const State ones = [] {
      State all;
      all.fill(1);
      return all;
    }();
    Attended attended;
    muster_fused_rmsnorm fused{};
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = kWidth;
    fused.residual = x.data();
    fused.residual_out = attended.residual.data();
    fused.weight = ones.data();
    fused.epsilon = kEpsilon;
    tensor_.fused_all_reduce_rmsnorm(out.data(), attended.normed.data(), kWidth, MUSTER_F32, fused);
    return attended;
  }

  // Each expert gets its elements of every rank's state, and sends them back.
  State mixed(uint32_t layer, const Attended& attended) {
    State there;
    State back;
    experts_.all_to_all(attended.normed, there);
    for (float& element : there) element *= expert(layer, experts_.rank());
    experts_.all_to_all(there, back);
    for (uint32_t i = 0; i < kWidth; ++i) back[i] += attended.residual[i];
    return back;
  }

  std::vector<float> all_logits(const State& x) {
    const uint32_t share = kVocabulary / kTensorRanks;
    std::vector<float> mine(share);
    std::vector<float> all(kVocabulary);
    for (uint32_t v = 0; v < share; ++v) mine[v] = logit(x, tensor_.rank() * share + v);
    tensor_.all_gather(mine, all);
    return all;
  }

  Group tensor_;
  Group experts_;
};

TEST(EngineOnMocks, GivenEightRanksThenTheyDecodeWhatOneRankDecodesAlone) {
  MockBackend mock("mock");
  constexpr int kPerLayer = kRanks * kLayers * kSteps;
  EXPECT_CALL(mock, execute(_, Call(MUSTER_ALL_REDUCE).dtype(MUSTER_F32).in_place()))
      .Times(kPerLayer);
  EXPECT_CALL(mock, execute(_, Call(MUSTER_FUSED_ALL_REDUCE_RMSNORM).count(kWidth)))
      .Times(kPerLayer);
  EXPECT_CALL(mock, execute(_, Call(MUSTER_ALL_TO_ALL).count(kWidth / kRanks)))
      .Times(2 * kPerLayer);
  EXPECT_CALL(mock, execute(_, Call(MUSTER_ALL_GATHER).count(kVocabulary / kTensorRanks)))
      .Times(kRanks * kSteps);
  World(kRanks).with(mock).run([](Runtime& runtime, uint32_t rank) {
    const uint32_t prompt = rank / kTensorRanks;  // another one per group
    EXPECT_EQ(Engine(runtime, rank).decode(prompt), decode_alone(prompt, kTensorRanks))
        << "rank " << rank;
  });
  EXPECT_NE(decode_alone(0, kTensorRanks), decode_alone(1, kTensorRanks));
}

}  // namespace
}  // namespace example
