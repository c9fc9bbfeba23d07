#include "core/agree/fused_exercise.hpp"

#include <algorithm>
#include <cmath>

#include "core/agree/test_values.hpp"
#include "core/base/names.hpp"
#include "muster/narrow_float.hpp"

namespace muster {
namespace {

constexpr uint64_t kQuantGroup = 32;

int64_t small_integer(uint64_t index, uint64_t salt) {
  return 1 + static_cast<int64_t>(((index + salt) * 0x9E3779B97F4A7C15ull >> 33) % 3);
}

// What roundings of a result may leave, with room: of norm, product and the one to the dtype.
double relative_error(muster_dtype dtype) {
  if (dtype == MUSTER_BF16) return 1.0 / 64;
  return dtype == MUSTER_F16 ? 1.0 / 512 : 1e-5;
}

}  // namespace

FusedExercise::FusedExercise(muster_dtype dtype, uint64_t count, bool quantised)
    : dtype_(dtype), count_(count) {
  const uint64_t element = dtype_size(dtype);
  const uint64_t hidden = count == 0 || count % kHidden == 0 ? uint64_t{kHidden} : count;
  residual_.resize(count * element);
  residual_out_.resize(count * element);
  weight_.resize(hidden * element);
  operands_.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
  operands_.hidden = hidden;
  operands_.residual = residual_.data();
  operands_.residual_out = residual_out_.data();
  operands_.weight = weight_.data();
  operands_.epsilon = 1e-6;
  if (!quantised) return;
  const uint64_t group = hidden % kQuantGroup == 0 ? kQuantGroup : hidden;
  operands_.quant_group = static_cast<uint32_t>(group);
  scales_.resize(count / group);
  operands_.scale_out = scales_.data();
}

void FusedExercise::add_buffers(std::vector<std::pair<void*, uint64_t>>& buffers) {
  for (std::vector<char>* const buffer : {&residual_, &residual_out_, &weight_})
    buffers.emplace_back(buffer->data(), buffer->size());
  buffers.emplace_back(scales_.data(), scales_.size() * sizeof(float));
}

double FusedExercise::residual_value(uint64_t index) const {
  return static_cast<double>(small_integer(index, round_ + 17));
}
double FusedExercise::weight_value(uint64_t index) const {
  return static_cast<double>(small_integer(index, round_ + 41));
}

void FusedExercise::fill(uint64_t round) {
  round_ = round;
  for (uint64_t i = 0; i < count_; ++i)
    store_value(dtype_, residual_.data(), i, static_cast<int64_t>(residual_value(i)));
  for (uint64_t i = 0; i < operands_.hidden; ++i)
    store_value(dtype_, weight_.data(), i, static_cast<int64_t>(weight_value(i)));
  std::fill(residual_out_.begin(), residual_out_.end(), '\x5a');
  std::fill(scales_.begin(), scales_.end(), -1.0f);
}

WrongElements FusedExercise::check(const void* recv,
                                   const std::function<double(uint64_t)>& sum) const {
  WrongElements wrong;
  const auto compare = [&](uint64_t index, double got, double right, double error) {
    if (std::abs(got - right) <= error) return;  // not for NaN
    if (wrong.count++ == 0) {
      wrong.first = index;
      wrong.got = got;
      wrong.right = right;
    }
  };
  const uint64_t hidden = operands_.hidden;
  const uint64_t group = operands_.quant_group;
  std::vector<double> row(hidden);
  for (uint64_t start = 0; start < count_; start += hidden) {
    double squares = 0;
    for (uint64_t i = 0; i < hidden; ++i) {
      row[i] = sum(start + i) + residual_value(start + i);
      squares += row[i] * row[i];
      compare(count_ + start + i, load_value(dtype_, residual_out_.data(), start + i), row[i], 0);
    }
    const double norm = 1 / std::sqrt(squares / static_cast<double>(hidden) + operands_.epsilon);
    for (uint64_t i = 0; i < hidden; ++i) row[i] *= norm * weight_value(i);
    for (uint64_t i = 0; i < hidden; ++i) {
      if (group == 0) {
        compare(start + i, load_value(dtype_, recv, start + i), row[i],
                row[i] * relative_error(dtype_));
        continue;
      }
      const uint64_t g = (start + i) / group;
      const double scale = scales_[g];
      if (i % group == 0) {
        const auto first = row.begin() + static_cast<std::ptrdiff_t>(i);
        const double right =
            *std::max_element(first, first + static_cast<std::ptrdiff_t>(group)) / 448;
        compare(2 * count_ + g, scale, right, right * 1e-5);
      }
      const uint8_t stored = static_cast<const uint8_t*>(recv)[start + i];
      compare(start + i, f8e4m3_to_f32(stored) * scale, row[i], row[i] / 15);  // 3 mantissa bits
    }
  }
  return wrong;
}

}  // namespace muster
