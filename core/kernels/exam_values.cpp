#include "core/kernels/exam_values.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "muster/narrow_float.hpp"

namespace muster {
namespace {

template <typename Float>
Float special(uint64_t which) {
  using Limits = std::numeric_limits<Float>;
  const Float values[] = {
      Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::denorm_min() * 3,
      -Limits::min() / 2,  Float{0},           -Float{0},           Limits::max()};
  return values[which % std::size(values)];
}

template <typename T>
T loaded(const unsigned char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
void put(unsigned char* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

void put_float(muster_dtype dtype, unsigned char* to, uint64_t bits) {
  const bool rare = bits % 8 == 0;
  const double value = (static_cast<double>(bits >> 40) - (1 << 23)) * 0x1p-20;
  switch (dtype) {
    case MUSTER_F16:
      return put(to,
                 rare ? static_cast<uint16_t>(bits >> 16) : f32_to_f16(static_cast<float>(value)));
    case MUSTER_BF16:
      return put(to,
                 rare ? static_cast<uint16_t>(bits >> 16) : f32_to_bf16(static_cast<float>(value)));
    case MUSTER_F32:
      return put(to, rare ? special<float>(bits >> 3) : static_cast<float>(value));
    default:
      return put(to, rare ? special<double>(bits >> 3) : value / 3.0);
  }
}

bool is_nan(muster_dtype dtype, const unsigned char* at) {
  switch (dtype) {
    case MUSTER_F16:
      return std::isnan(f16_to_f32(loaded<uint16_t>(at)));
    case MUSTER_BF16:
      return std::isnan(bf16_to_f32(loaded<uint16_t>(at)));
    case MUSTER_F32:
      return std::isnan(loaded<float>(at));
    case MUSTER_F64:
      return std::isnan(loaded<double>(at));
    default:
      return false;
  }
}

}  // namespace

std::vector<unsigned char> exam_elements(muster_dtype dtype, uint64_t count, uint64_t seed) {
  const uint64_t size = muster_dtype_size(dtype);
  std::vector<unsigned char> elements(count * size);
  std::mt19937_64 random(seed * MUSTER_DTYPE_END + dtype);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t bits = random();
    unsigned char* const at = elements.data() + i * size;
    if (dtype >= MUSTER_F16 && dtype <= MUSTER_F64) {
      put_float(dtype, at, i == 0 ? bits | 1 : bits);  // the first, also a scalar, is plain
    } else if (dtype == MUSTER_BOOL) {
      *at = bits & 1;
    } else {
      const uint64_t value = bits >> 60 == 0 ? 0 : bits;  // zeros matter to logical operations
      std::memcpy(at, &value, size);
    }
  }
  return elements;
}

bool same_element(muster_dtype dtype, const unsigned char* a, const unsigned char* b) {
  if (std::memcmp(a, b, muster_dtype_size(dtype)) == 0) return true;
  return is_nan(dtype, a) && is_nan(dtype, b);
}

}  // namespace muster
