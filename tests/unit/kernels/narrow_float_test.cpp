#include "muster/narrow_float.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace muster {
namespace {

// What the bits of a 16-bit float stand for, from the definition of the format.
double decoded(uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  double magnitude;
  if (exponent == (1 << exponent_bits) - 1) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    magnitude = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  }
  return std::copysign(magnitude, (bits & 0x8000) != 0 ? -1.0 : 1.0);
}

bool same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}

TEST(NarrowFloat, GivenEveryF16ThenItsValueIsExactAndRoundTrips) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    ASSERT_TRUE(same(value, decoded(half, 5))) << std::hex << bits;
    const bool nan = (half & 0x7fff) > 0x7c00;
    ASSERT_EQ(f32_to_f16(value), nan ? half | 0x200 : half) << std::hex << bits;
  }
}

TEST(NarrowFloat, GivenEveryBf16ThenItsValueIsExactAndRoundTrips) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = bf16_to_f32(half);
    ASSERT_TRUE(same(value, decoded(half, 8))) << std::hex << bits;
    const bool nan = (half & 0x7fff) > 0x7f80;
    ASSERT_EQ(f32_to_bf16(value), nan ? half | 0x40 : half) << std::hex << bits;
  }
}

#ifdef __FLT16_MAX__
__extension__ typedef _Float16 Float16;

// Around every f16, its neighbours and every midpoint between them: all the ties there are.
TEST(NarrowFloat, GivenF32NearEveryF16ThenRoundingAgreesWithTheCompiler) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    const float next = bits + 1 == 0x7c00 ? 65536.0f : f16_to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    for (const float candidate :
         {value, middle, std::nextafterf(middle, 0.0f), std::nextafterf(middle, INFINITY),
          std::nextafterf(value, -1.0f), std::nextafterf(value, INFINITY)}) {
      for (const float x : {candidate, -candidate}) {
        ASSERT_EQ(f32_to_f16(x), std::bit_cast<uint16_t>(static_cast<Float16>(x))) << x;
      }
    }
  }
}

TEST(NarrowFloat, GivenF32AllOverTheRangeThenRoundingAgreesWithTheCompiler) {
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 65521) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(f16_to_f32(f32_to_f16(x))));
    } else {
      ASSERT_EQ(f32_to_f16(x), std::bit_cast<uint16_t>(static_cast<Float16>(x))) << x;
    }
  }
}
#endif

TEST(NarrowFloat, GivenF32NearEveryBf16ThenItRoundsToTheNearestAndTiesToEven) {
  for (uint32_t high = 0; high < 0x7f80; ++high) {
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const uint32_t up = low > 0x8000 || (low == 0x8000 && (high & 1) != 0) ? 1 : 0;
      for (const uint32_t sign : {0u, 0x80000000u}) {
        const float x = std::bit_cast<float>(sign | (high << 16) | low);
        ASSERT_EQ(f32_to_bf16(x), (sign >> 16) | (high + up)) << x;
      }
    }
  }
}

TEST(NarrowFloat, GivenNanWithLowBitsOnlyThenItStaysNan) {
  for (const uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu}) {
    const float nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(nan))));
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan))));
  }
}

// From the definition of the format: bias 7, three bits of mantissa, one NaN pattern, no infinity.
double decoded_f8e4m3(uint32_t bits) {
  if ((bits & 0x7f) == 0x7f) return std::nan("");
  const int exponent = (bits >> 3) & 15;
  const int mantissa = bits & 7;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(mantissa + 8, exponent - 10);
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

TEST(NarrowFloat, GivenEveryF8e4m3ThenItsValueIsExactAndRoundTrips) {
  for (uint32_t bits = 0; bits < 256; ++bits) {
    const float value = f8e4m3_to_f32(static_cast<uint8_t>(bits));
    ASSERT_TRUE(same(value, decoded_f8e4m3(bits))) << std::hex << bits;
    ASSERT_EQ(f32_to_f8e4m3(value), bits == 0xff ? 0x7f : bits) << std::hex << bits;
  }
}

TEST(NarrowFloat, GivenF32NearEveryF8e4m3ThenItRoundsToTheNearestAndTiesToEven) {
  for (uint32_t low = 0; low < 0x7e; ++low) {
    const auto a = static_cast<float>(decoded_f8e4m3(low));
    const auto b = static_cast<float>(decoded_f8e4m3(low + 1));
    const float middle = (a + b) / 2;
    for (const uint32_t sign : {0u, 0x80u}) {
      const float s = sign != 0 ? -1.0f : 1.0f;
      ASSERT_EQ(f32_to_f8e4m3(s * std::nextafterf(middle, 0.0f)), sign | low) << middle;
      ASSERT_EQ(f32_to_f8e4m3(s * middle), sign | (low % 2 == 0 ? low : low + 1)) << middle;
      ASSERT_EQ(f32_to_f8e4m3(s * std::nextafterf(middle, INFINITY)), sign | (low + 1)) << middle;
    }
  }
}

TEST(NarrowFloat, GivenF32BeyondF8e4m3ThenItSaturatesAndNanStaysNan) {
  for (const float x : {448.0f, 449.0f, 464.0f, 480.0f, 1e30f, INFINITY}) {
    EXPECT_EQ(f32_to_f8e4m3(x), 0x7e) << x;
    EXPECT_EQ(f32_to_f8e4m3(-x), 0xfe) << x;
  }
  for (const float nan : {std::nanf(""), -std::nanf(""), std::nanf("0x3fffff")})
    EXPECT_EQ(f32_to_f8e4m3(nan), 0x7f);
}

}  // namespace
}  // namespace muster
