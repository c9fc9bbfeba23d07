// The operands that the fused operation has beside send and recv, with known values, and the check
// of its results. Part of Exercise.
#ifndef MUSTER_CORE_AGREE_FUSED_EXERCISE_HPP
#define MUSTER_CORE_AGREE_FUSED_EXERCISE_HPP

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "muster/call.h"

namespace muster {

struct WrongElements {
  uint64_t count = 0;
  uint64_t first = 0;  // element index
  double got = 0;
  double right = 0;
};

class FusedExercise {
 public:
  // Rows of kHidden elements, or one row if count is no multiple of that.
  static constexpr uint64_t kHidden = 64;

  FusedExercise(muster_dtype dtype, uint64_t count, bool quantised);
  FusedExercise(const FusedExercise&) = delete;
  FusedExercise& operator=(const FusedExercise&) = delete;

  const muster_fused_rmsnorm* operands() const { return &operands_; }
  // Adds what the operands point to.
  void add_buffers(std::vector<std::pair<void*, uint64_t>>& buffers);
  // Small integers, equal on all ranks, as residual and weight; poisons the outputs.
  void fill(uint64_t round);
  // sum: what all_reduce gives for an element, exact in the dtype. Elements are counted through
  // recv, residual_out, then the scales.
  WrongElements check(const void* recv, const std::function<double(uint64_t)>& sum) const;

 private:
  double residual_value(uint64_t index) const;
  double weight_value(uint64_t index) const;

  muster_dtype dtype_;
  uint64_t count_;
  uint64_t round_ = 0;
  std::vector<char> residual_, residual_out_, weight_;
  std::vector<float> scales_;
  muster_fused_rmsnorm operands_{};
};

}  // namespace muster

#endif
