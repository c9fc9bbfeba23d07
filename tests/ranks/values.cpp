#include "tests/ranks/values.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

namespace muster::ranks {
namespace {

// Element = (random bits & keep) | set, for all elements of a 64-bit word at once.
struct Pattern {
  uint64_t keep;
  uint64_t set;
};

Pattern pattern_of(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_BOOL:
      return {0x0101010101010101, 0};
    case MUSTER_F16:  // sign, mantissa, and the lowest bit of an exponent of -1 or 0
      return {0x87ff87ff87ff87ff, 0x3800380038003800};
    case MUSTER_BF16:
      return {0x80ff80ff80ff80ff, 0x3f003f003f003f00};
    case MUSTER_F32:
      return {0x80ffffff80ffffff, 0x3f0000003f000000};
    case MUSTER_F64:
      return {0x801fffffffffffff, 0x3fe0000000000000};
    default:
      return {~uint64_t{0}, 0};
  }
}

struct Format {
  int precision;  // bits of the significand
  int least;      // exponent of the smallest normal number
  double most;
};

Format format_of(muster_dtype dtype) {
  if (dtype == MUSTER_F16) return {11, -14, 65504.0};
  if (dtype == MUSTER_BF16) return {8, -126, 0x1.fep127};
  return {24, -126, static_cast<double>(std::numeric_limits<float>::max())};
}

void store_special(muster_dtype dtype, uint64_t which, unsigned char* element) {
  static constexpr double kValues[] = {std::numeric_limits<double>::quiet_NaN(),
                                       std::numeric_limits<double>::infinity(),
                                       -std::numeric_limits<double>::infinity(), 0.0, -0.0};
  const double value = kValues[which % std::size(kValues)];
  if (dtype == MUSTER_F64) {
    std::memcpy(element, &value, sizeof(value));
    return;
  }
  const float narrow = static_cast<float>(value);
  uint32_t bits = 0;
  std::memcpy(&bits, &narrow, sizeof(bits));
  if (dtype == MUSTER_F32) {
    std::memcpy(element, &bits, sizeof(bits));
    return;
  }
  uint16_t half = static_cast<uint16_t>(bits >> 16);
  if (dtype == MUSTER_F16) {  // of these values the exponent is all ones or all zeros
    half = static_cast<uint16_t>((half & 0x8000) | ((half & 0x7f80) != 0 ? 0x7c00 : 0) |
                                 ((half & 0x7f) != 0 ? 0x0200 : 0));
  }
  std::memcpy(element, &half, sizeof(half));
}

}  // namespace

bool is_float(muster_dtype dtype) { return dtype >= MUSTER_F16 && dtype <= MUSTER_F64; }
bool is_integer(muster_dtype dtype) { return dtype >= MUSTER_I8 && dtype <= MUSTER_U64; }

bool reduces(muster_dtype dtype, muster_redop redop) {
  if (is_float(dtype)) return redop >= MUSTER_SUM && redop <= MUSTER_AVG;
  return (is_integer(dtype) || dtype == MUSTER_BOOL) && redop >= MUSTER_SUM && redop <= MUSTER_LXOR;
}

void Input::fill(void* out, uint64_t first, uint64_t count) const {
  const uint64_t element = bytes_of(dtype);
  const Pattern pattern = pattern_of(dtype);
  const uint64_t key = mix(seed, rank);
  const auto word = [&](uint64_t index) { return (mix(key ^ index) & pattern.keep) | pattern.set; };
  auto* to = static_cast<unsigned char*>(out);
  uint64_t at = first * element;
  const uint64_t end = at + count * element;
  const auto partly = [&](uint64_t until) {
    const uint64_t value = word(at / 8);
    std::memcpy(to, reinterpret_cast<const unsigned char*>(&value) + at % 8, until - at);
    to += until - at;
    at = until;
  };
  if (at % 8 != 0) partly(std::min(end, (at + 7) / 8 * 8));
  for (; at + 8 <= end; at += 8, to += 8) {
    const uint64_t value = word(at / 8);
    std::memcpy(to, &value, 8);
  }
  if (at < end) partly(end);
  if (!special || !is_float(dtype)) return;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t chance = mix(key, first + i);
    if (chance % 11 == 0) {
      store_special(dtype, chance >> 32, static_cast<unsigned char*>(out) + i * element);
    }
  }
}

double float_value(muster_dtype dtype, const void* element) {
  if (dtype == MUSTER_F32) {
    float value = 0;
    std::memcpy(&value, element, sizeof(value));
    return value;
  }
  uint16_t half = 0;
  std::memcpy(&half, element, sizeof(half));
  if (dtype == MUSTER_BF16) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  const int exponent = (half >> 10) & 0x1f;
  const int mantissa = half & 0x3ff;
  const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  return exponent == 0 ? sign * std::ldexp(mantissa, -24)
                       : sign * std::ldexp(mantissa + 1024, exponent - 25);
}

double nearest(muster_dtype dtype, double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const Format format = format_of(dtype);
  const int exponent = std::max(std::ilogb(value), format.least);
  const double quantum = std::ldexp(1.0, exponent - format.precision + 1);
  const double rounded = std::nearbyint(value / quantum) * quantum;
  if (std::fabs(rounded) > format.most) {
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  }
  return rounded;
}

double epsilon_of(muster_dtype dtype) {
  if (dtype == MUSTER_F64) return std::numeric_limits<double>::epsilon();
  return std::ldexp(1.0, 1 - format_of(dtype).precision);
}

}  // namespace muster::ranks
