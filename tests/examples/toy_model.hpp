// A model that decodes one token a step: small enough for a test, with every exchange of a real
// one. What the ranks of an engine compute apart, alone computes by itself.
//
// Pure; any thread.
#ifndef MUSTER_TESTS_EXAMPLES_TOY_MODEL_HPP
#define MUSTER_TESTS_EXAMPLES_TOY_MODEL_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace example {

constexpr uint32_t kLayers = 4;
constexpr uint32_t kSteps = 8;
constexpr uint32_t kWidth = 16;  // of the hidden state
constexpr uint32_t kVocabulary = 64;
constexpr uint32_t kExperts = 8;
constexpr double kEpsilon = 1e-5;

using State = std::array<float, kWidth>;

// A weight in [-1, 1), by what it is for.
inline float weight(uint32_t what, uint32_t layer, uint32_t part, uint32_t i) {
  uint32_t bits = 2654435761u * (what * 7919 + layer * 104729 + part * 1299709 + i + 1);
  bits ^= bits >> 15;
  return static_cast<float>((bits * 2246822519u) >> 8) * 0x1p-23f - 1;
}

inline State embedding(uint32_t token) {
  State x;
  for (uint32_t i = 0; i < kWidth; ++i) x[i] = weight(0, token, 0, i);
  return x;
}

// What one rank of a tensor-parallel group adds to the sum.
inline State part_of(uint32_t what, uint32_t layer, uint32_t rank, const State& x) {
  State part;
  for (uint32_t i = 0; i < kWidth; ++i) {
    part[i] = weight(what, layer, rank, i) * x[(i * 7 + layer) % kWidth];
  }
  return part;
}

// An expert scales the elements that are sent to it.
inline float expert(uint32_t layer, uint32_t which) { return 1 + weight(3, layer, which, 0); }

inline float logit(const State& x, uint32_t token) {
  float sum = 0;
  for (uint32_t i = 0; i < kWidth; ++i) sum += x[i] * weight(4, token, 1, i);
  return sum;
}

inline uint32_t best_of(const std::vector<float>& logits) {
  return static_cast<uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// The tokens, worked out without any exchange, for a tensor-parallel group of `ranks`.
inline std::vector<uint32_t> decode_alone(uint32_t token, uint32_t ranks) {
  const auto summed = [&](uint32_t what, uint32_t layer, const State& x) {
    State sum{};
    for (uint32_t r = 0; r < ranks; ++r) {
      const State part = part_of(what, layer, r, x);
      for (uint32_t i = 0; i < kWidth; ++i) sum[i] += part[i];
    }
    return sum;
  };
  std::vector<uint32_t> tokens;
  for (uint32_t step = 0; step < kSteps; ++step) {
    State x = embedding(token);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const State out = summed(2, layer, summed(1, layer, x));
      double squares = 0;
      for (uint32_t i = 0; i < kWidth; ++i) {
        x[i] += out[i];
        squares += static_cast<double>(x[i]) * x[i];
      }
      const auto scale = static_cast<float>(1 / std::sqrt(squares / kWidth + kEpsilon));
      for (uint32_t i = 0; i < kWidth; ++i) {
        x[i] += x[i] * scale * expert(layer, i / (kWidth / kExperts));
      }
    }
    std::vector<float> logits(kVocabulary);
    for (uint32_t v = 0; v < kVocabulary; ++v) logits[v] = logit(x, v);
    tokens.push_back(token = best_of(logits));
  }
  return tokens;
}

}  // namespace example

#endif
