// The narrow floats of types.h and f32, both ways: to the nearest, ties to even; NaN stays NaN
// (quiet); subnormals kept. f16 and bf16 overflow to infinity, as F16C's vcvtps2ph does; f8e4m3 has
// no infinity and saturates at 448, and has one NaN, 0x7f, as CUDA's cvt.rn.satfinite.e4m3x2.f32
// does.
//
// Branch-free, so that loops over them are vectorised. Pure, any thread.
#ifndef MUSTER_NARROW_FLOAT_HPP
#define MUSTER_NARROW_FLOAT_HPP

#include <cstdint>
#include <cstring>

namespace muster {
namespace detail {

inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace detail

inline float f16_to_f32(uint16_t half) {
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = (magnitude << 13) | 0x7f800000u | (magnitude > 0x7c00u ? 0x400000u : 0u);
  const uint32_t subnormal =
      detail::bits_of(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t finite = magnitude < 0x400u ? subnormal : normal;
  return detail::float_of(sign | (magnitude >= 0x7c00u ? special : finite));
}

inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = detail::bits_of(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  // A carry out of the mantissa moves into the exponent, up to infinity, as it should.
  const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Below 2^-14: adding 0.5 lets the addition itself round at the unit of f16 subnormals.
  const uint32_t subnormal =
      detail::bits_of(detail::float_of(magnitude) + 0.5f) - detail::bits_of(0.5f);
  const uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  const uint32_t finite = magnitude < (113u << 23) ? subnormal : normal;
  const uint32_t large = magnitude > 0x7f800000u ? nan : 0x7c00u;
  return static_cast<uint16_t>(sign | (magnitude >= 0x47800000u ? large : finite));
}

inline float bf16_to_f32(uint16_t half) {
  return detail::float_of(static_cast<uint32_t>(half) << 16);
}

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = detail::bits_of(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

inline float f8e4m3_to_f32(uint8_t value) {
  const uint32_t magnitude = value & 0x7fu;
  const uint32_t sign = static_cast<uint32_t>(value & 0x80u) << 24;
  const uint32_t normal = (magnitude << 20) + (120u << 23);
  const uint32_t subnormal =
      detail::bits_of(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-9f);
  const uint32_t finite = magnitude < 8u ? subnormal : normal;
  return detail::float_of(sign | (magnitude == 0x7fu ? 0x7fc00000u : finite));
}

inline uint8_t f32_to_f8e4m3(float value) {
  const uint32_t bits = detail::bits_of(value);
  const uint32_t sign = (bits >> 24) & 0x80u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude - (120u << 23) + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
  // Below 2^-6: a float of 2^14 has the unit of f8e4m3 subnormals, 2^-9.
  const uint32_t subnormal =
      detail::bits_of(detail::float_of(magnitude) + 0x1p14f) - detail::bits_of(0x1p14f);
  const uint32_t finite = magnitude < (121u << 23) ? subnormal : normal;
  const uint32_t number = sign | (magnitude >= detail::bits_of(448.0f) ? 0x7eu : finite);
  // One NaN: which sign arithmetic gives it is the compiler's choice.
  return static_cast<uint8_t>(magnitude > 0x7f800000u ? 0x7fu : number);
}

}  // namespace muster

#endif
