// Every variant of the families that reduce and copy, bit for bit, as each instruction set that
// this machine has computes it.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "core/base/names.hpp"
#include "tests/unit/kernels/kernel_sources.hpp"
#include "tests/unit/kernels/reduce_reference.hpp"

namespace muster {
namespace {

class Variants : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!source_.usable())
      GTEST_SKIP() << "this machine cannot run " << GetParam() << ": " << source_.why_not();
  }

  template <typename Function>
  Function find(const char* family, const char* algorithm, muster_dtype dtype,
                muster_redop redop) const {
    muster_kernel_key key{};
    key.struct_size = MUSTER_KERNEL_KEY_SIZE;
    key.dtype = dtype;
    key.redop = redop;
    key.family = family;
    key.algorithm = algorithm;
    return reinterpret_cast<Function>(source_.find(key));
  }

  KernelSource source_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Each, Variants, ::testing::ValuesIn(KernelSource::names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

constexpr const char* kAlgorithms[] = {"cached", "streaming"};

template <typename Check>
void for_each_pair(const Check& check) {
  for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
    for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
      if (redop_applies(redop, dtype)) check(dtype, redop);
    }
  }
}

// Sources that lie at odd addresses, and a destination apart or in place of one of them.
class Operands {
 public:
  Operands(const std::vector<Bytes>& sources, uint64_t shift) : shift_(shift) {
    for (const Bytes& source : sources) {
      memory_.emplace_back(source.size() + 192, static_cast<unsigned char>(0xa5));
      std::copy(source.begin(), source.end(), at(memory_.size() - 1));
      pointers_.push_back(at(memory_.size() - 1));
    }
    memory_.emplace_back(sources[0].size() + 192, static_cast<unsigned char>(0xa5));
  }
  const void* const* sources() const { return pointers_.data(); }
  uint32_t count() const { return static_cast<uint32_t>(pointers_.size()); }
  // Of source number `source`; count() is the destination that is none of them.
  unsigned char* at(size_t source) { return line(source) + shift_; }
  bool untouched_around(size_t target, uint64_t bytes) {
    const unsigned char* const begin = line(target);
    for (uint64_t i = 0; i < shift_; ++i) {
      if (begin[i] != 0xa5) return false;
    }
    for (uint64_t i = 0; i < 16; ++i) {
      if (at(target)[bytes + i] != 0xa5) return false;
    }
    return true;
  }

 private:
  unsigned char* line(size_t source) {
    unsigned char* const begin = memory_[source].data();
    return begin + (64 - reinterpret_cast<uintptr_t>(begin) % 64) % 64;
  }
  uint64_t shift_;
  std::vector<Bytes> memory_;
  std::vector<const void*> pointers_;
};

TEST_P(Variants, GivenEveryPairAndNumberOfSourcesThenTheBitsAreThoseOfTheReference) {
  for (const char* algorithm : kAlgorithms) {
    for_each_pair([&](muster_dtype dtype, muster_redop redop) {
      const auto kernel = find<muster_host_reduce>("host_reduce/1", algorithm, dtype, redop);
      ASSERT_NE(kernel, nullptr) << algorithm << dtype_name(dtype) << redop_name(redop);
      for (uint32_t n = 1; n <= 14; ++n) {
        const uint64_t count = 1 + (n * 331 + dtype * 57 + redop * 13) % 700;
        std::vector<Bytes> sources;
        for (uint32_t s = 0; s < n; ++s)
          sources.push_back(random_elements(dtype, count, n * 20 + s));
        const Bytes expected = reduce_reference(dtype, redop, sources, nullptr, n);
        for (const uint64_t shift : {uint64_t{0}, muster_dtype_size(dtype), uint64_t{3}}) {
          const uint32_t target = static_cast<uint32_t>((count + shift) % (n + 1));
          Operands operands(sources, shift);
          kernel(operands.at(target), operands.sources(), n, count, nullptr, n);
          ASSERT_EQ(first_wrong(dtype, expected, operands.at(target)), -1)
              << algorithm << ' ' << dtype_name(dtype) << ' ' << redop_name(redop) << " n " << n
              << " count " << count << " shift " << shift << " target " << target;
          ASSERT_TRUE(operands.untouched_around(target, expected.size()));
        }
      }
    });
  }
}

TEST_P(Variants, GivenEverySmallCountAndEveryAliasThenTheBitsAreThoseOfTheReference) {
  for (const char* algorithm : kAlgorithms) {
    for (const muster_dtype dtype : {MUSTER_U8, MUSTER_F16, MUSTER_BF16, MUSTER_F32, MUSTER_F64}) {
      const auto kernel = find<muster_host_reduce>("host_reduce/1", algorithm, dtype, MUSTER_SUM);
      for (uint64_t count = 0; count < 140; ++count) {
        const uint32_t n = 2 + count % 2;
        std::vector<Bytes> sources;
        for (uint32_t s = 0; s < n; ++s) sources.push_back(random_elements(dtype, count, s));
        const Bytes expected = reduce_reference(dtype, MUSTER_SUM, sources, nullptr, 0);
        for (uint32_t target = 0; target <= n; ++target) {
          Operands operands(sources, count % 5);
          kernel(operands.at(target), operands.sources(), n, count, nullptr, 0);
          ASSERT_EQ(first_wrong(dtype, expected, operands.at(target)), -1)
              << algorithm << ' ' << dtype_name(dtype) << " count " << count << " at " << target;
          ASSERT_TRUE(operands.untouched_around(target, expected.size()));
        }
      }
    }
  }
}

TEST_P(Variants, GivenAPairThenBothPlacesHaveTheBitsOfTheReference) {
  for_each_pair([&](muster_dtype dtype, muster_redop redop) {
    const auto kernel = find<muster_host_reduce_pair>("host_reduce_pair/1", "cached", dtype, redop);
    ASSERT_NE(kernel, nullptr) << dtype_name(dtype) << redop_name(redop);
    for (const uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{33}, uint64_t{5003}}) {
      const std::vector<Bytes> sources = {random_elements(dtype, count, 1),
                                          random_elements(dtype, count, 2)};
      const Bytes expected = reduce_reference(dtype, redop, sources, nullptr, 2);
      // Operand 2 belongs to none of the sources, 3 neither: a third source that is not reduced.
      for (const auto& [dst, also] : {std::pair(3u, 2u), std::pair(0u, 1u), std::pair(1u, 0u),
                                      std::pair(3u, 0u), std::pair(1u, 3u)}) {
        Operands operands({sources[0], sources[1], sources[0]}, (count + dst) % 5);
        kernel(operands.at(dst), operands.at(also), operands.at(0), operands.at(1), count, 2);
        for (const uint32_t place : {dst, also}) {
          ASSERT_EQ(first_wrong(dtype, expected, operands.at(place)), -1)
              << dtype_name(dtype) << ' ' << redop_name(redop) << " count " << count << " into "
              << dst << " and " << also << ", in " << place;
          ASSERT_TRUE(operands.untouched_around(place, expected.size()));
        }
      }
    }
  });
}

TEST_P(Variants, GivenManyElementsThenEveryBlockIsRight) {
  constexpr uint64_t kCount = 21001;
  for (const char* algorithm : kAlgorithms) {
    for (const muster_dtype dtype : {MUSTER_I8, MUSTER_F16, MUSTER_BF16, MUSTER_F32, MUSTER_F64}) {
      for (const uint32_t n : {2u, 8u, 9u}) {
        std::vector<Bytes> sources;
        for (uint32_t s = 0; s < n; ++s) sources.push_back(random_elements(dtype, kCount, s));
        const Bytes expected = reduce_reference(dtype, MUSTER_AVG, sources, nullptr, n);
        for (const uint64_t shift : {uint64_t{0}, uint64_t{8}, uint64_t{1}}) {
          Operands operands(sources, shift);
          find<muster_host_reduce>("host_reduce/1", algorithm, dtype, MUSTER_AVG)(
              operands.at(shift % n), operands.sources(), n, kCount, nullptr, n);
          ASSERT_EQ(first_wrong(dtype, expected, operands.at(shift % n)), -1)
              << algorithm << ' ' << dtype_name(dtype) << " n " << n << " shift " << shift;
        }
      }
    }
  }
}

TEST_P(Variants, GivenAScalarThenEverySourceIsMultipliedFirst) {
  for (const char* algorithm : kAlgorithms) {
    for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
      for (const uint32_t n : {1u, 2u, 5u, 10u}) {
        std::vector<Bytes> sources;
        for (uint32_t s = 0; s < n; ++s) sources.push_back(random_elements(dtype, 513, s));
        const Bytes scalar = random_elements(dtype, 1, 77);
        const Bytes expected = reduce_reference(dtype, MUSTER_SUM, sources, scalar.data(), 0);
        Operands operands(sources, 0);
        find<muster_host_reduce>("host_reduce/1", algorithm, dtype, MUSTER_SUM)(
            operands.at(0), operands.sources(), n, 513, scalar.data(), 0);
        ASSERT_EQ(first_wrong(dtype, expected, operands.at(0)), -1)
            << algorithm << ' ' << dtype_name(dtype) << " n " << n;
      }
    }
  }
}

TEST_P(Variants, GivenAnAverageWithoutADivisorThenItIsTheSum) {
  for_each_pair([&](muster_dtype dtype, muster_redop redop) {
    if (redop != MUSTER_AVG) return;
    const std::vector<Bytes> sources = {random_elements(dtype, 100, 1),
                                        random_elements(dtype, 100, 2)};
    for (const uint64_t divisor : {0, 1}) {
      Operands operands(sources, 0);
      find<muster_host_reduce>("host_reduce/1", "cached", dtype, MUSTER_AVG)(
          operands.at(2), operands.sources(), 2, 100, nullptr, divisor);
      EXPECT_EQ(first_wrong(dtype, reduce_reference(dtype, MUSTER_SUM, sources, nullptr, 0),
                            operands.at(2)),
                -1)
          << dtype_name(dtype);
    }
  });
}

TEST_P(Variants, GivenMoreTruthsThanAByteCountsThenTheirAverageIsRight) {
  for (const uint32_t n : {254u, 255u, 256u, 300u, 511u}) {
    std::vector<Bytes> sources(n, Bytes(150, 1));
    for (uint32_t i = 0; i < 100; ++i) sources[i * 7 % n][i] = 0;
    const auto kernel =
        find<muster_host_reduce>("host_reduce/1", "cached", MUSTER_BOOL, MUSTER_AVG);
    for (const uint64_t divisor : {uint64_t{n} - 1, uint64_t{n}, uint64_t{n} + 1}) {
      Operands operands(sources, 0);
      kernel(operands.at(n), operands.sources(), n, 150, nullptr, divisor);
      const Bytes expected = reduce_reference(MUSTER_BOOL, MUSTER_AVG, sources, nullptr, divisor);
      ASSERT_EQ(first_wrong(MUSTER_BOOL, expected, operands.at(n)), -1) << n << " by " << divisor;
    }
  }
}

TEST_P(Variants, GivenASixteenBitFloatOfEveryValueThenSumsAndChoicesAgree) {
  Bytes all(65536 * 2);
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    std::memcpy(all.data() + i * 2, &bits, 2);
  }
  for (const muster_dtype dtype : {MUSTER_F16, MUSTER_BF16}) {
    for (const muster_redop redop : {MUSTER_SUM, MUSTER_PROD, MUSTER_MIN, MUSTER_MAX}) {
      const auto kernel = find<muster_host_reduce>("host_reduce/1", nullptr, dtype, redop);
      for (uint32_t n = 1; n <= 2; ++n) {
        std::vector<Bytes> sources = {all};
        if (n == 2) sources.push_back(random_elements(dtype, 65536, redop));
        Operands operands(sources, 0);
        kernel(operands.at(n), operands.sources(), n, 65536, nullptr, 0);
        ASSERT_EQ(
            first_wrong(dtype, reduce_reference(dtype, redop, sources, nullptr, 0), operands.at(n)),
            -1)
            << dtype_name(dtype) << ' ' << redop_name(redop) << " n " << n;
      }
    }
  }
}

TEST_P(Variants, GivenBytesThenBothCopiesMoveThemAndNothingElse) {
  for (const char* algorithm : kAlgorithms) {
    const auto copy =
        find<muster_host_copy>("host_copy/1", algorithm, MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE);
    ASSERT_NE(copy, nullptr);
    for (const uint64_t bytes : {0, 1, 63, 64, 65, 127, 1000, 4096, 70001}) {
      for (const uint64_t shift : {0, 1, 63}) {
        Bytes source(bytes);
        std::iota(source.begin(), source.end(), static_cast<unsigned char>(bytes));
        Operands operands({source, source}, shift);
        std::memset(operands.at(2), 0, bytes);
        copy(operands.at(2), operands.at(shift == 1 ? 0 : 1), bytes);
        EXPECT_TRUE(std::equal(source.begin(), source.end(), operands.at(2)))
            << bytes << ' ' << shift;
        EXPECT_TRUE(operands.untouched_around(2, bytes)) << bytes << ' ' << shift;
      }
    }
  }
}

}  // namespace
}  // namespace muster
