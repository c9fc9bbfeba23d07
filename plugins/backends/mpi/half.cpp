#include "plugins/backends/mpi/half.hpp"

#include <cstring>

namespace muster::mpi {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

struct Bf16 {
  static float widen(uint16_t half) { return from_bits(static_cast<uint32_t>(half) << 16); }
  static uint16_t narrow(float value) {
    const uint32_t bits = to_bits(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // NaN
    return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
  }
};

struct F16 {
  static float widen(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
    const uint32_t rest = static_cast<uint32_t>(half & 0x7FFF) << 13;
    if (rest >= 0x0F800000) return from_bits(sign | (rest + 0x70000000));  // infinity, NaN
    // 2^112 moves the exponent, and makes subnormal halves normal floats.
    return from_bits(sign | to_bits(from_bits(rest) * 0x1p112F));
  }
  static uint16_t narrow(float value) {
    const uint32_t bits = to_bits(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
    const uint32_t rest = bits & 0x7FFFFFFF;
    if (rest > 0x7F800000) return sign | 0x7E00;   // NaN
    if (rest >= 0x477FF000) return sign | 0x7C00;  // 65520 and more round to infinity
    if (rest <
        0x38800000) {  // below 2^-14: adding 0.5 leaves the rounded subnormal in the low bits
      return static_cast<uint16_t>(sign | (to_bits(from_bits(rest) + 0.5F) - 0x3F000000));
    }
    return static_cast<uint16_t>(sign | ((rest - 0x38000000 + 0xFFF + ((rest >> 13) & 1)) >> 13));
  }
};

template <typename Format>
void widen_all(const void* from, float* to, uint64_t count, const void* scalar) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  float factor = 1;
  if (scalar != nullptr) {
    uint16_t half;
    std::memcpy(&half, scalar, sizeof(half));
    factor = Format::widen(half);
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint16_t half;
    std::memcpy(&half, bytes + 2 * i, sizeof(half));
    to[i] = Format::widen(half) * factor;
  }
}

template <typename Format>
void narrow_all(const float* from, void* to, uint64_t count, uint64_t divisor) {
  auto* bytes = static_cast<unsigned char*>(to);
  const auto by = static_cast<float>(divisor);
  for (uint64_t i = 0; i < count; ++i) {
    const uint16_t half = Format::narrow(from[i] / by);
    std::memcpy(bytes + 2 * i, &half, sizeof(half));
  }
}

}  // namespace

void widen(muster_dtype dtype, const void* from, float* to, uint64_t count, const void* scalar) {
  if (dtype == MUSTER_F16) return widen_all<F16>(from, to, count, scalar);
  widen_all<Bf16>(from, to, count, scalar);
}

void narrow(muster_dtype dtype, const float* from, void* to, uint64_t count, uint64_t divisor) {
  if (dtype == MUSTER_F16) return narrow_all<F16>(from, to, count, divisor);
  narrow_all<Bf16>(from, to, count, divisor);
}

}  // namespace muster::mpi
