#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/base/names.hpp"
#include "core/kernels/registry.hpp"
#include "muster/narrow_float.hpp"

namespace muster {
namespace {

template <typename T>
std::vector<T> reduced(muster_dtype dtype, muster_redop redop,
                       const std::vector<std::vector<T>>& sources, uint64_t divisor = 0,
                       const T* scalar = nullptr) {
  std::vector<const void*> pointers;
  for (const std::vector<T>& source : sources) pointers.push_back(source.data());
  std::vector<T> out(sources[0].size());
  host_reduce(dtype, redop)(out.data(), pointers.data(), static_cast<uint32_t>(pointers.size()),
                            out.size(), scalar, divisor);
  return out;
}

TEST(HostReduce, GivenEveryDtypeAndRedopThenAKernelExistsExactlyWhereItIsDefined) {
  for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
    const bool numeric = dtype >= MUSTER_I8 && dtype <= MUSTER_F64;
    for (muster_redop redop = 0; redop < MUSTER_REDOP_END; ++redop) {
      EXPECT_EQ(host_reduce(dtype, redop) != nullptr, numeric && redop_applies(redop, dtype))
          << dtype_name(dtype) << ' ' << redop_name(redop);
    }
  }
}

TEST(HostReduce, GivenAKeyThenOnlyItsFamilyAlgorithmAndArchitectureAnswer) {
  muster_kernel_key key{};
  key.struct_size = MUSTER_KERNEL_KEY_SIZE;
  key.dtype = MUSTER_F32;
  key.redop = MUSTER_SUM;
  key.family = "host_reduce/1";
  EXPECT_EQ(find_kernel(key),
            reinterpret_cast<muster_kernel_function>(host_reduce(MUSTER_F32, MUSTER_SUM)));
  key.algorithm = "cached";
  key.architecture = "generic";
  EXPECT_EQ(find_kernel(key),
            reinterpret_cast<muster_kernel_function>(host_reduce(MUSTER_F32, MUSTER_SUM)));
  key.algorithm = "streaming";
  EXPECT_NE(find_kernel(key), nullptr);
  EXPECT_NE(find_kernel(key),
            reinterpret_cast<muster_kernel_function>(host_reduce(MUSTER_F32, MUSTER_SUM)));
  key.algorithm = "other";
  EXPECT_EQ(find_kernel(key), nullptr);
  key.algorithm = nullptr;
  key.architecture = "sm_90";
  EXPECT_EQ(find_kernel(key), nullptr);
  key.architecture = nullptr;
  key.family = "host_reduce/2";
  EXPECT_EQ(find_kernel(key), nullptr);
  key.family = nullptr;
  EXPECT_EQ(find_kernel(key), nullptr);
}

// Reference for one integer element in 128 bits, brought back to T by wrapping.
template <typename T>
T integer_reference(muster_redop redop, const std::vector<T>& values, uint64_t divisor) {
  __extension__ typedef unsigned __int128 Wide;
  const auto wide = [](T value) { return static_cast<Wide>(value); };
  Wide sum = 0, product = 1;
  T least = values[0], greatest = values[0], all = values[0], any = 0, odd = 0;
  bool and_ = true, or_ = false, xor_ = false;
  for (const T value : values) {
    sum += wide(value);
    product *= wide(value);
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    all = static_cast<T>(all & value);
    any = static_cast<T>(any | value);
    odd = static_cast<T>(odd ^ value);
    and_ = and_ && value != 0;
    or_ = or_ || value != 0;
    xor_ = xor_ != (value != 0);
  }
  const T wrapped = static_cast<T>(sum);
  switch (redop) {
    case MUSTER_SUM:
      return wrapped;
    case MUSTER_PROD:
      return static_cast<T>(product);
    case MUSTER_MIN:
      return least;
    case MUSTER_MAX:
      return greatest;
    case MUSTER_AVG: {
      if (divisor < 2) return wrapped;
      if constexpr (std::is_signed_v<T>) return static_cast<T>(wrapped / int64_t(divisor));
      return static_cast<T>(wrapped / divisor);
    }
    case MUSTER_BAND:
      return all;
    case MUSTER_BOR:
      return any;
    case MUSTER_BXOR:
      return odd;
    case MUSTER_LAND:
      return and_;
    case MUSTER_LOR:
      return or_;
    default:
      return xor_;
  }
}

template <typename T>
void check_integers(muster_dtype dtype) {
  std::mt19937_64 random(dtype);
  for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
    for (const uint32_t n : {1u, 2u, 3u, 8u}) {
      std::vector<std::vector<T>> sources(n, std::vector<T>(2051));
      for (auto& source : sources) {
        for (T& value : source) value = random() % 4 == 0 ? T(0) : static_cast<T>(random());
      }
      const std::vector<T> out = reduced(dtype, redop, sources, n);
      for (size_t i = 0; i < out.size(); ++i) {
        std::vector<T> column;
        for (const auto& source : sources) column.push_back(source[i]);
        ASSERT_EQ(out[i], integer_reference(redop, column, n))
            << dtype_name(dtype) << ' ' << redop_name(redop) << " n " << n << " at " << i;
      }
    }
  }
}

TEST(HostReduce, GivenRandomIntegersThenEveryRedopWrapsAndAgreesWithWideArithmetic) {
  check_integers<int8_t>(MUSTER_I8);
  check_integers<uint8_t>(MUSTER_U8);
  check_integers<int16_t>(MUSTER_I16);
  check_integers<uint16_t>(MUSTER_U16);
  check_integers<int32_t>(MUSTER_I32);
  check_integers<uint32_t>(MUSTER_U32);
  check_integers<int64_t>(MUSTER_I64);
  check_integers<uint64_t>(MUSTER_U64);
}

TEST(HostReduce, GivenIntegersWhoseSumIsNegativeThenTheAverageTruncatesTowardZero) {
  const std::vector<std::vector<int32_t>> sources = {{-3, 3}, {-4, 4}};
  EXPECT_EQ(reduced(MUSTER_I32, MUSTER_AVG, sources, 2), (std::vector<int32_t>{-3, 3}));
}

TEST(HostReduce, GivenBoolsThenEveryResultIsZeroOrOne) {
  // one column per combination of three sources
  std::vector<std::vector<uint8_t>> sources(3, std::vector<uint8_t>(8));
  for (size_t i = 0; i < 8; ++i) {
    for (size_t s = 0; s < 3; ++s) sources[s][i] = (i >> s) & 1;
  }
  const std::vector<uint8_t> any = {0, 1, 1, 1, 1, 1, 1, 1};
  const std::vector<uint8_t> all = {0, 0, 0, 0, 0, 0, 0, 1};
  const std::vector<uint8_t> odd = {0, 1, 1, 0, 1, 0, 0, 1};
  for (const muster_redop redop : {MUSTER_SUM, MUSTER_MAX, MUSTER_BOR, MUSTER_LOR}) {
    EXPECT_EQ(reduced(MUSTER_BOOL, redop, sources), any) << redop_name(redop);
  }
  for (const muster_redop redop : {MUSTER_PROD, MUSTER_MIN, MUSTER_BAND, MUSTER_LAND}) {
    EXPECT_EQ(reduced(MUSTER_BOOL, redop, sources), all) << redop_name(redop);
  }
  EXPECT_EQ(reduced(MUSTER_BOOL, MUSTER_AVG, sources, 3), all);
  EXPECT_EQ(reduced(MUSTER_BOOL, MUSTER_BXOR, sources), odd);
  EXPECT_EQ(reduced(MUSTER_BOOL, MUSTER_LXOR, sources), odd);
}

TEST(HostReduce, GivenMoreTrueBoolsThanAByteCountsThenTheSumIsStillTrue) {
  const std::vector<std::vector<uint8_t>> sources(256, std::vector<uint8_t>{1});
  EXPECT_EQ(reduced(MUSTER_BOOL, MUSTER_SUM, sources), std::vector<uint8_t>{1});
}

TEST(HostReduce, GivenF32ThenSourcesCombineInOrderAtEveryPositionAndCount) {
  // 1e8 swallows a 1 that comes after it, so any other order gives another result.
  for (const size_t count : {1u, 7u, 1023u, 1024u, 1025u, 4099u}) {
    const std::vector<std::vector<float>> sources = {
        std::vector<float>(count, 1e8f), std::vector<float>(count, 1.0f),
        std::vector<float>(count, -1e8f), std::vector<float>(count, 1.0f)};
    EXPECT_EQ(reduced(MUSTER_F32, MUSTER_SUM, sources), std::vector<float>(count, 1.0f));
  }
}

uint16_t from_float(muster_dtype dtype, float value) {
  return dtype == MUSTER_F16 ? f32_to_f16(value) : f32_to_bf16(value);
}
float to_float(muster_dtype dtype, uint16_t bits) {
  return dtype == MUSTER_F16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

TEST(HostReduce, GivenSixteenBitFloatsThenTheyAccumulateInF32AndRoundOnce) {
  for (const muster_dtype dtype : {MUSTER_F16, MUSTER_BF16}) {
    std::mt19937 random(dtype);
    std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
    std::vector<std::vector<uint16_t>> sources(5, std::vector<uint16_t>(3001));
    for (auto& source : sources) {
      for (uint16_t& value : source) value = from_float(dtype, uniform(random));
    }
    const uint16_t scalar = from_float(dtype, 0.75f);
    const std::vector<uint16_t> sum = reduced(dtype, MUSTER_SUM, sources);
    const std::vector<uint16_t> scaled = reduced(dtype, MUSTER_SUM, sources, 0, &scalar);
    const std::vector<uint16_t> product = reduced(dtype, MUSTER_PROD, sources);
    const std::vector<uint16_t> average = reduced(dtype, MUSTER_AVG, sources, 5);
    for (size_t i = 0; i < sum.size(); ++i) {
      volatile float add = 0, multiply = 1, scale = 0;
      for (size_t s = 0; s < sources.size(); ++s) {
        const float value = to_float(dtype, sources[s][i]);
        add = s == 0 ? value : add + value;
        multiply = s == 0 ? value : multiply * value;
        scale = s == 0 ? value * 0.75f : scale + value * 0.75f;
      }
      ASSERT_EQ(sum[i], from_float(dtype, add)) << i;
      ASSERT_EQ(product[i], from_float(dtype, multiply)) << i;
      ASSERT_EQ(scaled[i], from_float(dtype, scale)) << i;
      ASSERT_EQ(average[i], from_float(dtype, add / 5.0f)) << i;
    }
  }
}

TEST(HostReduce, GivenANanInAnySourceThenMinAndMaxGiveNan) {
  const double nan = std::nan("");
  const std::vector<std::vector<double>> sources = {
      {nan, 1, 1, 3, -INFINITY}, {1, nan, 1, 2, 0}, {1, 1, nan, 1, INFINITY}};
  for (const muster_redop redop : {MUSTER_MIN, MUSTER_MAX}) {
    const std::vector<double> out = reduced(MUSTER_F64, redop, sources);
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(out[i])) << redop_name(redop) << i;
    EXPECT_EQ(out[3], redop == MUSTER_MIN ? 1 : 3);
    EXPECT_EQ(out[4], redop == MUSTER_MIN ? -INFINITY : INFINITY);
  }
  std::vector<std::vector<uint16_t>> halves = {{f32_to_bf16(NAN)}, {f32_to_bf16(1.0f)}};
  EXPECT_TRUE(std::isnan(bf16_to_f32(reduced(MUSTER_BF16, MUSTER_MAX, halves)[0])));
}

TEST(HostReduce, GivenAnIntegerScalarThenEverySourceIsMultipliedFirst) {
  const std::vector<std::vector<int16_t>> sources = {{1, 30000}, {2, 30000}};
  const int16_t scalar = 3;
  const auto wrapped = static_cast<int16_t>(180000 & 0xffff);
  EXPECT_EQ(reduced(MUSTER_I16, MUSTER_SUM, sources, 0, &scalar),
            (std::vector<int16_t>{9, wrapped}));
}

TEST(HostReduce, GivenDstIsOneOfTheSourcesOrNothingIsAlignedThenTheResultIsTheSame) {
  constexpr size_t kCount = 2500;
  std::vector<std::vector<float>> sources(3, std::vector<float>(kCount));
  for (size_t s = 0; s < 3; ++s) {
    for (size_t i = 0; i < kCount; ++i) sources[s][i] = static_cast<float>(i * (s + 1)) * 0.37f;
  }
  const std::vector<float> expected = reduced(MUSTER_F32, MUSTER_SUM, sources);
  for (size_t target = 0; target < 3; ++target) {
    std::vector<std::vector<unsigned char>> bytes(3, std::vector<unsigned char>(kCount * 4 + 1));
    std::vector<const void*> pointers;
    for (size_t s = 0; s < 3; ++s) {
      std::memcpy(bytes[s].data() + 1, sources[s].data(), kCount * 4);
      pointers.push_back(bytes[s].data() + 1);
    }
    host_reduce(MUSTER_F32, MUSTER_SUM)(bytes[target].data() + 1, pointers.data(), 3, kCount,
                                        nullptr, 0);
    EXPECT_EQ(std::memcmp(bytes[target].data() + 1, expected.data(), kCount * 4), 0);
  }
}

}  // namespace
}  // namespace muster
