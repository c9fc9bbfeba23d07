#include "tests/ranks/mpi/values.hpp"

#include <cmath>
#include <cstring>
#include <limits>

namespace muster::testing {
namespace {

bool is_float(muster_dtype dtype) { return dtype >= MUSTER_F16 && dtype <= MUSTER_F64; }
bool is_signed(muster_dtype dtype) {
  return dtype == MUSTER_I8 || dtype == MUSTER_I16 || dtype == MUSTER_I32 || dtype == MUSTER_I64;
}

uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

int mantissa_bits(muster_dtype dtype) { return dtype == MUSTER_F16 ? 10 : 7; }
int exponent_bias(muster_dtype dtype) { return dtype == MUSTER_F16 ? 15 : 127; }

double half_value(muster_dtype dtype, uint16_t bits) {
  const int m = mantissa_bits(dtype);
  const int top = 2 * exponent_bias(dtype) + 1;
  const int exponent = (bits & 0x7FFF) >> m;
  const int mantissa = bits & ((1 << m) - 1);
  double value;
  if (exponent == top) {
    value = mantissa == 0 ? std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - exponent_bias(dtype) - m);
  } else {
    value = std::ldexp((1 << m) + mantissa, exponent - exponent_bias(dtype) - m);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// An element as bits, sign-extended for signed integers.
uint64_t integer_at(muster_dtype dtype, const unsigned char* data, uint64_t i) {
  const uint64_t size = bytes_of(dtype);
  uint64_t value = 0;
  std::memcpy(&value, data + i * size, size);
  if (is_signed(dtype)) {
    const uint64_t sign = UINT64_C(1) << (8 * size - 1);
    value = (value ^ sign) - sign;
  }
  return value;
}

double float_at(muster_dtype dtype, const unsigned char* data, uint64_t i) {
  if (dtype == MUSTER_F64) {
    double value;
    std::memcpy(&value, data + 8 * i, 8);
    return value;
  }
  if (dtype == MUSTER_F32) {
    float value;
    std::memcpy(&value, data + 4 * i, 4);
    return value;
  }
  return half_value(dtype, static_cast<uint16_t>(integer_at(MUSTER_U16, data, i)));
}

void put_float(muster_dtype dtype, unsigned char* data, uint64_t i, double value) {
  if (dtype == MUSTER_F64) {
    std::memcpy(data + 8 * i, &value, 8);
  } else if (dtype == MUSTER_F32) {
    const auto single = static_cast<float>(value);
    std::memcpy(data + 4 * i, &single, 4);
  } else {
    const uint16_t half = half_of(dtype, value);
    std::memcpy(data + 2 * i, &half, 2);
  }
}

uint64_t cut(muster_dtype dtype, uint64_t value) {
  unsigned char data[8];
  std::memcpy(data, &value, 8);
  return integer_at(dtype, data, 0);
}

uint64_t combine(muster_dtype dtype, muster_redop redop, uint64_t a, uint64_t b) {
  const bool less = is_signed(dtype) ? static_cast<int64_t>(a) < static_cast<int64_t>(b) : a < b;
  switch (redop) {
    case MUSTER_PROD:
      return a * b;
    case MUSTER_MIN:
      return less ? a : b;
    case MUSTER_MAX:
      return less ? b : a;
    case MUSTER_BAND:
      return a & b;
    case MUSTER_BOR:
      return a | b;
    case MUSTER_BXOR:
      return a ^ b;
    case MUSTER_LAND:
      return a != 0 && b != 0;
    case MUSTER_LOR:
      return a != 0 || b != 0;
    case MUSTER_LXOR:
      return (a != 0) != (b != 0);
    default:
      return a + b;
  }
}

double combine(muster_redop redop, double a, double b) {
  switch (redop) {
    case MUSTER_PROD:
      return a * b;
    case MUSTER_MIN:
      return std::isnan(a) || std::isnan(b) ? a + b : std::fmin(a, b);
    case MUSTER_MAX:
      return std::isnan(a) || std::isnan(b) ? a + b : std::fmax(a, b);
    default:
      return a + b;
  }
}

// Half a unit in the last place for 16-bit floats: one rounding and no more.
double tolerance(muster_dtype dtype) {
  switch (dtype) {
    case MUSTER_F16:
      return std::ldexp(1.001, -11);
    case MUSTER_BF16:
      return std::ldexp(1.001, -8);
    case MUSTER_F32:
      return 1e-6;
    default:
      return 1e-14;
  }
}

}  // namespace

bool reduces(muster_dtype dtype, muster_redop redop) {
  if (dtype == MUSTER_BOOL) {
    return redop == MUSTER_MIN || redop == MUSTER_MAX || redop >= MUSTER_BAND;
  }
  if (is_float(dtype)) return redop <= MUSTER_AVG;
  return dtype < MUSTER_BOOL;
}

uint16_t half_of(muster_dtype dtype, double value) {
  if (std::isnan(value)) return 0x7FFF;
  if (value == 0) return 0;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // [0.5, 1)
  const int m = mantissa_bits(dtype);
  const auto mantissa = static_cast<int>(std::ldexp(fraction, m + 1)) - (1 << m);
  const int bits = ((exponent - 1 + exponent_bias(dtype)) << m) | mantissa;
  return static_cast<uint16_t>(bits | (value < 0 ? 0x8000 : 0));
}

Bytes inputs(muster_dtype dtype, muster_redop redop, uint32_t rank, uint64_t seed, uint64_t count) {
  const uint64_t size = bytes_of(dtype);
  Bytes data(count * size + 1);  // never empty: data() is not null
  const bool order = redop == MUSTER_MIN || redop == MUSTER_MAX;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t random = mix(mix(seed * 64 + rank) + i);
    if (is_float(dtype)) {
      const double value = static_cast<double>(random % 65) / 4 - 8;
      put_float(dtype, data.data(), i,
                order && random % 17 == 0 ? std::numeric_limits<double>::quiet_NaN() : value);
    } else {
      uint64_t bits = random;
      if (dtype == MUSTER_BOOL) bits &= 1;
      if (redop >= MUSTER_LAND && (random >> 60) < 4) bits = 0;
      std::memcpy(data.data() + i * size, &bits, size);
    }
  }
  return data;
}

Bytes three(muster_dtype dtype) {
  Bytes data(8);
  if (is_float(dtype)) {
    put_float(dtype, data.data(), 0, 3);
  } else {
    data[0] = 3;
  }
  return data;
}

std::string wrong_reduction(muster_dtype dtype, muster_redop redop, uint32_t ranks, uint64_t seed,
                            uint64_t count, bool scaled, const unsigned char* out, uint64_t from,
                            uint64_t to) {
  std::vector<Bytes> all;
  for (uint32_t r = 0; r < ranks; ++r) all.push_back(inputs(dtype, redop, r, seed, count));
  const uint64_t factor = scaled ? 3 : 1;
  for (uint64_t i = from; i < to; ++i) {
    const std::string where = "element " + std::to_string(i) + ": ";
    if (is_float(dtype)) {
      double want = 0;
      for (uint32_t r = 0; r < ranks; ++r) {
        const double value = float_at(dtype, all[r].data(), i) * static_cast<double>(factor);
        want = r == 0 ? value : combine(redop, want, value);
      }
      if (redop == MUSTER_AVG) want /= ranks;
      const double got = float_at(dtype, out, i - from);
      const bool same = std::isnan(want)
                            ? std::isnan(got)
                            : std::fabs(got - want) <= tolerance(dtype) * std::fabs(want) +
                                                           (bytes_of(dtype) > 2 ? 1e-9 : 0);
      if (!same) return where + std::to_string(got) + " is not " + std::to_string(want);
      continue;
    }
    uint64_t want = 0;
    for (uint32_t r = 0; r < ranks; ++r) {
      const uint64_t value = cut(dtype, integer_at(dtype, all[r].data(), i) * factor);
      want = r == 0 ? value : cut(dtype, combine(dtype, redop, want, value));
    }
    if (redop == MUSTER_AVG) {
      want = is_signed(dtype)
                 ? static_cast<uint64_t>(static_cast<int64_t>(want) / static_cast<int64_t>(ranks))
                 : want / ranks;
    }
    const uint64_t got = integer_at(dtype, out, i - from);
    if (got != want) return where + std::to_string(got) + " is not " + std::to_string(want);
  }
  return {};
}

}  // namespace muster::testing
