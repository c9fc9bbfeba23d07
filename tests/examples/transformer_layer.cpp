// A transformer layer in tensor and expert parallelism by roles, checked against one rank doing all
// of it without muster:
//
//   muster run -n 4 -- build/tests/transformer_layer
//
// Attention has its heads, the MLP its intermediate dimension split over the tp role; each ends in
// one reduction, the first fused with the residual and the norm that follow. The mixture of experts
// spreads its experts over the moe_ep role: every rank routes a slice of the tokens, sends them to
// their experts, and gathers what came back.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>
#include <numeric>

#include "muster/parallel.hpp"
#include "tests/examples/model.hpp"

namespace example {
namespace {

using muster::api::dtype_of;
using muster::api::Layout;
using muster::api::LayoutSizes;
using muster::api::Runtime;

// This rank's share of a layer.
template <typename T>
class Layer {
 public:
  explicit Layer(const Layout& layout)
      : layout_(layout), rank_(layout.tp().rank()), size_(layout.tp().size()) {}

  Matrix<T> dense(const Matrix<T>& x) {
    const auto [residual, normed] = attention(x);
    const Range mine = share(kIntermediate, rank_, size_);
    Matrix<T> out = times_rows(
        gated(times_columns(normed, weights_.gate, mine), times_columns(normed, weights_.up, mine)),
        weights_.down, mine);
    layout_.tp().all_reduce(out.data.data(), out.data.data(), out.data.size(), MUSTER_SUM);
    return sum_of(residual, out);
  }

  Matrix<T> experts(const Matrix<T>& x) {
    const auto [residual, normed] = attention(x);
    const Range tokens = share(kTokens, rank_, size_);
    const Matrix<T> slice = mixture(normed, tokens);
    Matrix<T> out(kTokens, kHidden);
    layout_.tp().all_gather(slice.data.data(), out.data.data(), slice.data.size());
    return sum_of(residual, out);
  }

 private:
  struct Attended {
    Matrix<T> residual;
    Matrix<T> normed;
  };

  Attended attention(const Matrix<T>& x) {
    const Matrix<T> normed = rmsnorm(x, weights_.attention_norm);
    const Range heads = share(kHidden, rank_, size_);
    const Matrix<T> partial = times_rows(attend(times_columns(normed, weights_.query, heads),
                                                times_columns(normed, weights_.key, heads),
                                                times_columns(normed, weights_.value, heads)),
                                         weights_.output, heads);
    Attended out{Matrix<T>(kTokens, kHidden), Matrix<T>(kTokens, kHidden)};
    muster_fused_rmsnorm fused{};
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = kHidden;
    fused.residual = x.data.data();
    fused.residual_out = out.residual.data.data();
    fused.weight = weights_.norm.data.data();
    fused.epsilon = kEpsilon;
    layout_.attn_tp().fused_all_reduce_rmsnorm(partial.data.data(), out.normed.data.data(),
                                               partial.data.size(), dtype_of<T>(), fused);
    return out;
  }

  // One copy of a token on its way to an expert.
  struct Copy {
    uint32_t token;
    uint32_t expert;
    float share;
  };

  // What the experts make of these tokens, wherever they live.
  Matrix<T> mixture(const Matrix<T>& x, Range tokens) {
    std::vector<Copy> copies;
    for (uint32_t t = tokens.first; t < tokens.first + tokens.count; ++t) {
      const Choice choice = choose(x, t, weights_.router);
      for (uint32_t i = 0; i < kExpertsPerToken; ++i) {
        copies.push_back({t, choice.expert[i], choice.share[i]});
      }
    }
    std::stable_sort(copies.begin(), copies.end(),
                     [](const Copy& a, const Copy& b) { return a.expert < b.expert; });
    // How many copies go to each expert, and so to each rank, and how many come from each.
    std::vector<uint64_t> to_expert(kExperts);
    for (const Copy& copy : copies) ++to_expert[copy.expert];
    std::vector<uint64_t> from_rank_to_mine(kExperts);  // [rank][expert of this rank]
    const uint32_t per_rank = kExperts / size_;
    layout_.moe_ep().all_to_all(to_expert.data(), from_rank_to_mine.data(), per_rank);
    const std::vector<uint64_t> sent = elements_by_rank(to_expert);
    const std::vector<uint64_t> received = elements_by_rank(from_rank_to_mine);

    Matrix<T> out(static_cast<uint32_t>(copies.size()), kHidden);
    for (uint32_t i = 0; i < out.rows; ++i) {
      std::copy_n(x.data.data() + size_t{copies[i].token} * kHidden, kHidden, out.row(i));
    }
    Matrix<T> in(static_cast<uint32_t>(sum(received) / kHidden), kHidden);
    exchange(out, sent, &in, received);
    run_my_experts(from_rank_to_mine, &in);
    exchange(in, received, &out, sent);

    Matrix<float> mixed(tokens.count, kHidden);
    for (uint32_t i = 0; i < out.rows; ++i) {
      for (uint32_t c = 0; c < kHidden; ++c) {
        mixed.data[size_t{copies[i].token - tokens.first} * kHidden + c] +=
            copies[i].share * out.at(i, c);
      }
    }
    Matrix<T> rounded(tokens.count, kHidden);
    for (size_t i = 0; i < mixed.data.size(); ++i) store(&rounded.data[i], mixed.data[i]);
    return rounded;
  }

  // In place; rows come by rank, and of each rank by expert.
  void run_my_experts(const std::vector<uint64_t>& counts, Matrix<T>* rows) {
    uint32_t first = 0;
    const uint32_t per_rank = kExperts / size_;
    for (uint32_t i = 0; i < kExperts; ++i) {
      Matrix<T> tokens(static_cast<uint32_t>(counts[i]), kHidden);
      std::copy_n(rows->row(first), tokens.data.size(), tokens.data.data());
      const Matrix<T> made = run_expert(weights_, rank_ * per_rank + i % per_rank, tokens);
      std::copy(made.data.begin(), made.data.end(), rows->row(first));
      first += tokens.rows;
    }
  }

  void exchange(const Matrix<T>& out, const std::vector<uint64_t>& sent, Matrix<T>* in,
                const std::vector<uint64_t>& received) {
    layout_.moe_ep().all_to_allv(out.data.data(), sent.data(), nullptr, in->data.data(),
                                 received.data(), nullptr);
  }

  std::vector<uint64_t> elements_by_rank(const std::vector<uint64_t>& copies) const {
    const uint32_t per_rank = kExperts / size_;
    std::vector<uint64_t> elements(size_);
    for (uint32_t i = 0; i < kExperts; ++i) elements[i / per_rank] += copies[i] * kHidden;
    return elements;
  }
  static uint64_t sum(const std::vector<uint64_t>& values) {
    return std::accumulate(values.begin(), values.end(), uint64_t{0});
  }

  const Layout& layout_;
  uint32_t rank_ = 0;
  uint32_t size_ = 1;
  Weights<T> weights_;
};

// The whole layer on one rank, with no communication at all.
template <typename T>
Matrix<T> alone(const Matrix<T>& x, bool mixture) {
  const Weights<T> w;
  const Range all{0, kHidden};
  const Matrix<T> normed = rmsnorm(x, w.attention_norm);
  const Matrix<T> attended =
      attend(times_columns(normed, w.query, all), times_columns(normed, w.key, all),
             times_columns(normed, w.value, all));
  const Matrix<T> residual = sum_of(x, times_rows(attended, w.output, all));
  const Matrix<T> second = rmsnorm(residual, w.norm);
  if (!mixture) {
    const Range whole{0, kIntermediate};
    return sum_of(residual, times_rows(gated(times_columns(second, w.gate, whole),
                                             times_columns(second, w.up, whole)),
                                       w.down, whole));
  }
  Matrix<T> mixed(kTokens, kHidden);
  for (uint32_t t = 0; t < kTokens; ++t) {
    Matrix<T> token(1, kHidden);
    std::copy_n(second.data.data() + size_t{t} * kHidden, kHidden, token.row(0));
    const Choice choice = choose(second, t, w.router);
    std::vector<float> sum(kHidden);
    for (uint32_t i = 0; i < kExpertsPerToken; ++i) {
      const Matrix<T> made = run_expert(w, choice.expert[i], token);
      for (uint32_t c = 0; c < kHidden; ++c) sum[c] += choice.share[i] * made.at(0, c);
    }
    for (uint32_t c = 0; c < kHidden; ++c) mixed.set(t, c, sum[c]);
  }
  return sum_of(residual, mixed);
}

// Partial sums are rounded once per rank before they are added: a few units in the last place of
// the largest value.
template <typename T>
bool compare(const char* what, const char* type, const Matrix<T>& got, const Matrix<T>& want,
             float unit, uint32_t rank) {
  float largest = 0;
  float error = 0;
  for (size_t i = 0; i < got.data.size(); ++i) {
    largest = std::max(largest, std::fabs(load(want.data[i])));
    // Not std::max: a NaN must not pass.
    const float difference = std::fabs(load(got.data[i]) - load(want.data[i]));
    if (!(difference <= error)) error = difference;
  }
  const bool ok = error <= 4 * unit * largest;
  if (rank == 0 || !ok) {
    std::printf("%-20s %-5s largest value %.3f, largest error %.2g on rank %u: %s\n", what, type,
                static_cast<double>(largest), static_cast<double>(error), rank,
                ok ? "ok" : "WRONG");
  }
  return ok;
}

template <typename T>
bool run(const char* type, float unit, const Layout& layout, uint32_t rank) {
  Layer<T> layer(layout);
  const Matrix<T> x = random<T>(kTokens, kHidden, 2, 42);
  const bool dense = compare("attention + MLP", type, layer.dense(x), alone(x, false), unit, rank);
  const bool experts =
      compare("attention + experts", type, layer.experts(x), alone(x, true), unit, rank);
  return dense && experts;
}

int run_rank() {
  const Runtime runtime = Runtime::init();
  if (kHeads % runtime.size() != 0 || kTokens % runtime.size() != 0) {
    std::fprintf(stderr, "transformer_layer: %u ranks cannot share %u heads and %u tokens\n",
                 runtime.size(), kHeads, kTokens);
    return 2;
  }
  LayoutSizes sizes;
  sizes.tp = sizes.ep = runtime.size();
  const Layout layout(runtime, sizes);
  const bool f32 = run<float>("f32", std::numeric_limits<float>::epsilon(), layout, runtime.rank());
  const bool bf16_ok = run<bf16>("bf16", 0x1p-7f, layout, runtime.rank());
  return f32 && bf16_ok ? 0 : 1;
}

}  // namespace
}  // namespace example

int main() {
  try {
    return example::run_rank();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "transformer_layer: %s\n", error.what());
    return 1;
  }
}
