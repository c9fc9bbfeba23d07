// A small transformer layer, real in every part: sizes, seeded weights, and the arithmetic of one
// rank's share. Activations are stored as T (float or bf16), arithmetic is float.
#ifndef MUSTER_TESTS_EXAMPLES_MODEL_HPP
#define MUSTER_TESTS_EXAMPLES_MODEL_HPP

#include <cmath>
#include <cstdint>
#include <vector>

#include "muster/muster.hpp"
#include "muster/narrow_float.hpp"

namespace example {

using muster::api::bf16;

constexpr uint32_t kTokens = 12;
constexpr uint32_t kHidden = 64;
constexpr uint32_t kHeads = 8;
constexpr uint32_t kHeadDim = kHidden / kHeads;
constexpr uint32_t kIntermediate = 96;  // of the dense MLP
constexpr uint32_t kExperts = 8;
constexpr uint32_t kExpertsPerToken = 2;
constexpr uint32_t kExpertIntermediate = 32;
constexpr double kEpsilon = 1e-5;

inline float load(float value) { return value; }
inline float load(bf16 value) { return muster::bf16_to_f32(value.bits); }
inline void store(float* to, float value) { *to = value; }
inline void store(bf16* to, float value) { to->bits = muster::f32_to_bf16(value); }

// Row-major.
template <typename T>
struct Matrix {
  uint32_t rows = 0;
  uint32_t columns = 0;
  std::vector<T> data;

  Matrix(uint32_t r, uint32_t c) : rows(r), columns(c), data(size_t{r} * c) {}
  float at(uint32_t r, uint32_t c) const { return load(data[size_t{r} * columns + c]); }
  void set(uint32_t r, uint32_t c, float value) { store(&data[size_t{r} * columns + c], value); }
  T* row(uint32_t r) { return data.data() + size_t{r} * columns; }
};

// Uniform in [-bound, bound), a function of seed and position.
template <typename T>
Matrix<T> random(uint32_t rows, uint32_t columns, float bound, uint64_t seed) {
  Matrix<T> matrix(rows, columns);
  uint64_t state = seed * 0x9e3779b97f4a7c15;
  for (T& element : matrix.data) {
    state = state * 6364136223846793005 + 1442695040888963407;
    store(&element, bound * (static_cast<float>(state >> 40) * 0x1p-23f - 1));
  }
  return matrix;
}

// Of the whole layer. The inputs of a weight are its rows.
template <typename T>
struct Weights {
  Matrix<T> attention_norm = random<T>(1, kHidden, 2, 1);
  Matrix<T> query = random<T>(kHidden, kHidden, 0.25, 2);
  Matrix<T> key = random<T>(kHidden, kHidden, 0.25, 3);
  Matrix<T> value = random<T>(kHidden, kHidden, 0.25, 4);
  Matrix<T> output = random<T>(kHidden, kHidden, 0.25, 5);
  Matrix<T> norm = random<T>(1, kHidden, 2, 6);
  Matrix<T> gate = random<T>(kHidden, kIntermediate, 0.25, 7);
  Matrix<T> up = random<T>(kHidden, kIntermediate, 0.25, 8);
  Matrix<T> down = random<T>(kIntermediate, kHidden, 0.25, 9);
  Matrix<T> router = random<T>(kHidden, kExperts, 2, 10);
  std::vector<Matrix<T>> expert_gate, expert_up, expert_down;

  Weights() {
    for (uint32_t e = 0; e < kExperts; ++e) {
      expert_gate.push_back(random<T>(kHidden, kExpertIntermediate, 0.25, 100 + e));
      expert_up.push_back(random<T>(kHidden, kExpertIntermediate, 0.25, 200 + e));
      expert_down.push_back(random<T>(kExpertIntermediate, kHidden, 0.25, 300 + e));
    }
  }
};

// A share of the columns or rows of a weight.
struct Range {
  uint32_t first;
  uint32_t count;
};
inline Range share(uint32_t whole, uint32_t rank, uint32_t size) {
  return {rank * (whole / size), whole / size};
}

// x times the given columns of w.
template <typename T>
Matrix<T> times_columns(const Matrix<T>& x, const Matrix<T>& w, Range columns) {
  Matrix<T> out(x.rows, columns.count);
  for (uint32_t r = 0; r < x.rows; ++r) {
    for (uint32_t c = 0; c < columns.count; ++c) {
      float sum = 0;
      for (uint32_t k = 0; k < x.columns; ++k) sum += x.at(r, k) * w.at(k, columns.first + c);
      out.set(r, c, sum);
    }
  }
  return out;
}

// x, which has these columns only, times the same rows of w: a partial sum.
template <typename T>
Matrix<T> times_rows(const Matrix<T>& x, const Matrix<T>& w, Range rows) {
  Matrix<T> out(x.rows, w.columns);
  for (uint32_t r = 0; r < x.rows; ++r) {
    for (uint32_t c = 0; c < w.columns; ++c) {
      float sum = 0;
      for (uint32_t k = 0; k < rows.count; ++k) sum += x.at(r, k) * w.at(rows.first + k, c);
      out.set(r, c, sum);
    }
  }
  return out;
}

template <typename T>
Matrix<T> sum_of(const Matrix<T>& a, const Matrix<T>& b) {
  Matrix<T> out(a.rows, a.columns);
  for (size_t i = 0; i < out.data.size(); ++i)
    store(&out.data[i], load(a.data[i]) + load(b.data[i]));
  return out;
}

template <typename T>
Matrix<T> rmsnorm(const Matrix<T>& x, const Matrix<T>& weight) {
  Matrix<T> out(x.rows, x.columns);
  for (uint32_t r = 0; r < x.rows; ++r) {
    float squares = 0;
    for (uint32_t c = 0; c < x.columns; ++c) squares += x.at(r, c) * x.at(r, c);
    const float scale =
        1 / std::sqrt(squares / static_cast<float>(x.columns) + static_cast<float>(kEpsilon));
    for (uint32_t c = 0; c < x.columns; ++c) out.set(r, c, x.at(r, c) * scale * weight.at(0, c));
  }
  return out;
}

// silu(gate) * up.
template <typename T>
Matrix<T> gated(const Matrix<T>& gate, const Matrix<T>& up) {
  Matrix<T> out(gate.rows, gate.columns);
  for (size_t i = 0; i < out.data.size(); ++i) {
    const float g = load(gate.data[i]);
    store(&out.data[i], g / (1 + std::exp(-g)) * load(up.data[i]));
  }
  return out;
}

// Causal attention of the heads in these columns.
template <typename T>
Matrix<T> attend(const Matrix<T>& query, const Matrix<T>& key, const Matrix<T>& value) {
  Matrix<T> out(query.rows, query.columns);
  for (uint32_t head = 0; head * kHeadDim < query.columns; ++head) {
    const uint32_t first = head * kHeadDim;
    for (uint32_t t = 0; t < query.rows; ++t) {
      std::vector<float> weight(t + 1);
      float most = -INFINITY;
      for (uint32_t s = 0; s <= t; ++s) {
        for (uint32_t d = 0; d < kHeadDim; ++d) {
          weight[s] += query.at(t, first + d) * key.at(s, first + d);
        }
        weight[s] /= std::sqrt(static_cast<float>(kHeadDim));
        most = std::fmax(most, weight[s]);
      }
      float total = 0;
      for (float& w : weight) total += w = std::exp(w - most);
      for (uint32_t d = 0; d < kHeadDim; ++d) {
        float sum = 0;
        for (uint32_t s = 0; s <= t; ++s) sum += weight[s] / total * value.at(s, first + d);
        out.set(t, first + d, sum);
      }
    }
  }
  return out;
}

template <typename T>
Matrix<T> run_expert(const Weights<T>& weights, uint32_t expert, const Matrix<T>& tokens) {
  const Range all{0, kExpertIntermediate};
  return times_rows(gated(times_columns(tokens, weights.expert_gate[expert], all),
                          times_columns(tokens, weights.expert_up[expert], all)),
                    weights.expert_down[expert], all);
}

// The experts of one token and their shares, best first.
struct Choice {
  uint32_t expert[kExpertsPerToken];
  float share[kExpertsPerToken];
};
template <typename T>
Choice choose(const Matrix<T>& x, uint32_t token, const Matrix<T>& router) {
  float score[kExperts] = {};
  for (uint32_t e = 0; e < kExperts; ++e) {
    for (uint32_t k = 0; k < x.columns; ++k) score[e] += x.at(token, k) * router.at(k, e);
  }
  Choice choice{};
  float total = 0;
  for (uint32_t i = 0; i < kExpertsPerToken; ++i) {
    uint32_t best = 0;
    for (uint32_t e = 1; e < kExperts; ++e) {
      if (score[e] > score[best]) best = e;
    }
    choice.expert[i] = best;
    choice.share[i] = std::exp(score[best] / 16);
    total += choice.share[i];
    score[best] = -INFINITY;
  }
  for (float& part : choice.share) part /= total;
  return choice;
}

}  // namespace example

#endif
