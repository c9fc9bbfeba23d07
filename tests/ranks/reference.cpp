#include "tests/ranks/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace muster::ranks {
namespace {

constexpr uint64_t kBlock = 1024;

template <typename T>
T load(const void* base, uint64_t index) {
  T value;
  std::memcpy(&value, static_cast<const unsigned char*>(base) + index * sizeof(T), sizeof(T));
  return value;
}

Input input_of(const Reduction& reduction, uint32_t rank) {
  return {reduction.seed, rank, reduction.dtype, reduction.special};
}

// Sums and products modulo 2^64 are right modulo every smaller power.
template <typename T>
uint64_t combine_integers(muster_redop redop, uint64_t a, uint64_t b) {
  switch (redop) {
    case MUSTER_SUM:
    case MUSTER_AVG:
      return a + b;
    case MUSTER_PROD:
      return a * b;
    case MUSTER_MIN:
      return static_cast<T>(a) < static_cast<T>(b) ? a : b;
    case MUSTER_MAX:
      return static_cast<T>(a) < static_cast<T>(b) ? b : a;
    case MUSTER_BAND:
      return a & b;
    case MUSTER_BOR:
      return a | b;
    case MUSTER_BXOR:
      return a ^ b;
    case MUSTER_LAND:
      return a != 0 && b != 0 ? 1 : 0;
    case MUSTER_LOR:
      return a != 0 || b != 0 ? 1 : 0;
    default:
      return (a != 0) != (b != 0) ? 1 : 0;
  }
}

template <typename T>
T finish_integer(const Reduction& reduction, uint64_t value) {
  const T narrow = static_cast<T>(value);
  if (reduction.redop != MUSTER_AVG) return narrow;
  using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  return static_cast<T>(static_cast<Wide>(narrow) / static_cast<Wide>(reduction.ranks));
}

template <typename T, bool kBool>
void check_integers(const Reduction& reduction, uint64_t first, uint64_t count, const void* got,
                    uint64_t at, Wrong& wrong) {
  const bool logical = reduction.redop >= MUSTER_LAND;
  std::array<T, kBlock> stored;
  std::array<uint64_t, kBlock> value;
  for (uint64_t start = 0; start < count; start += kBlock) {
    const uint64_t length = std::min(kBlock, count - start);
    for (uint32_t r = 0; r < reduction.ranks; ++r) {
      input_of(reduction, r).fill(stored.data(), first + start, length);
      for (uint64_t i = 0; i < length; ++i) {
        uint64_t next = static_cast<uint64_t>(stored[i]);
        if (reduction.scalar != nullptr) {
          next *= static_cast<uint64_t>(load<T>(reduction.scalar, 0));
        }
        if (logical) next = stored[i] != 0 ? 1 : 0;
        value[i] = r == 0 ? next : combine_integers<T>(reduction.redop, value[i], next);
      }
    }
    for (uint64_t i = 0; i < length; ++i) {
      T expected;
      if constexpr (kBool) {
        const uint64_t divisor = reduction.redop == MUSTER_AVG ? reduction.ranks : 1;
        expected = value[i] / divisor != 0 ? 1 : 0;
      } else {
        expected = finish_integer<T>(reduction, value[i]);
      }
      const T result = load<T>(got, start + i);
      if (result != expected) {
        wrong.note(1,
                   fmt::format("element {}: {} instead of {}", at + start + i, +result, +expected));
      }
    }
  }
}

// The value of a stored element, as what it is reduced in here.
template <typename Wide>
Wide wide_value(muster_dtype dtype, const unsigned char* element) {
  if constexpr (std::is_same_v<Wide, long double>) {
    return load<double>(element, 0);
  } else {
    return float_value(dtype, element);
  }
}

template <typename Wide>
bool within(muster_dtype dtype, Wide result, Wide expected, Wide error) {
  if (std::isnan(expected)) return std::isnan(result);
  if (std::isinf(expected) || error == 0) return result == expected;
  if (std::fabs(result - expected) <= error) return true;
  if constexpr (std::is_same_v<Wide, long double>) {
    return result >= static_cast<double>(expected - error) &&
           result <= static_cast<double>(expected + error);
  } else {
    return result >= nearest(dtype, expected - error) && result <= nearest(dtype, expected + error);
  }
}

template <typename Wide>
void check_floats(const Reduction& reduction, uint64_t first, uint64_t count, const void* got,
                  uint64_t at, Wrong& wrong) {
  const muster_dtype dtype = reduction.dtype;
  const uint64_t element = bytes_of(dtype);
  const muster_redop redop = reduction.redop;
  // Half the distance of 1 to the next value of what backends accumulate in.
  const muster_dtype accumulator =
      reduction.stepwise || dtype == MUSTER_F64 ? dtype : muster_dtype{MUSTER_F32};
  const Wide unit = epsilon_of(accumulator) / 2;
  const Wide factor =
      reduction.scalar == nullptr
          ? Wide{1}
          : wide_value<Wide>(dtype, static_cast<const unsigned char*>(reduction.scalar));
  std::array<unsigned char, kBlock * 8> stored;
  std::array<Wide, kBlock> value;
  std::array<Wide, kBlock> magnitude;
  for (uint64_t start = 0; start < count; start += kBlock) {
    const uint64_t length = std::min(kBlock, count - start);
    for (uint32_t r = 0; r < reduction.ranks; ++r) {
      input_of(reduction, r).fill(stored.data(), first + start, length);
      for (uint64_t i = 0; i < length; ++i) {
        const Wide next = wide_value<Wide>(dtype, stored.data() + i * element) * factor;
        if (r == 0) {
          value[i] = next;
          magnitude[i] = std::fabs(next);
          continue;
        }
        magnitude[i] += std::fabs(next);
        if (redop == MUSTER_PROD) {
          value[i] *= next;
        } else if (redop == MUSTER_MIN || redop == MUSTER_MAX) {
          if (std::isnan(next) || (redop == MUSTER_MIN ? next < value[i] : next > value[i])) {
            value[i] = std::isnan(value[i]) ? value[i] : next;
          }
        } else {
          value[i] += next;
        }
      }
    }
    for (uint64_t i = 0; i < length; ++i) {
      if (redop == MUSTER_AVG) {
        value[i] /= reduction.ranks;
        magnitude[i] /= reduction.ranks;
      }
      const Wide steps = static_cast<Wide>(reduction.ranks + 2);
      Wide error = steps * unit * (redop == MUSTER_PROD ? std::fabs(value[i]) : magnitude[i]);
      // What is exact; one rank's input is its result.
      const bool one = reduction.ranks == 1 && reduction.scalar == nullptr;
      if (redop == MUSTER_MIN || redop == MUSTER_MAX || one) error = 0;
      const Wide result =
          wide_value<Wide>(dtype, static_cast<const unsigned char*>(got) + (start + i) * element);
      if (!within(dtype, result, value[i], error)) {
        wrong.note(1, fmt::format("element {}: {:.17g} instead of {:.17g} +- {:.3g}",
                                  at + start + i, result, value[i], error));
      }
    }
  }
}

}  // namespace

void check_moved(const Input& input, uint64_t first, uint64_t count, const void* got, uint64_t at,
                 Wrong& wrong) {
  const uint64_t element = bytes_of(input.dtype);
  std::array<unsigned char, kBlock * 8> expected;
  for (uint64_t start = 0; start < count; start += kBlock) {
    const uint64_t length = std::min(kBlock, count - start);
    const auto* here = static_cast<const unsigned char*>(got) + start * element;
    input.fill(expected.data(), first + start, length);
    if (std::memcmp(here, expected.data(), length * element) == 0) continue;
    for (uint64_t i = 0; i < length; ++i) {
      if (std::memcmp(here + i * element, expected.data() + i * element, element) != 0) {
        wrong.note(1, fmt::format("element {} is not element {} of rank {}", at + start + i,
                                  first + start + i, input.rank));
      }
    }
  }
}

void check_reduced(const Reduction& reduction, uint64_t first, uint64_t count, const void* got,
                   uint64_t at, Wrong& wrong) {
  switch (reduction.dtype) {
#define MUSTER_CASE(dtype, type) \
  case dtype:                    \
    return check_integers<type, dtype == MUSTER_BOOL>(reduction, first, count, got, at, wrong)
    MUSTER_CASE(MUSTER_I8, int8_t);
    MUSTER_CASE(MUSTER_U8, uint8_t);
    MUSTER_CASE(MUSTER_I16, int16_t);
    MUSTER_CASE(MUSTER_U16, uint16_t);
    MUSTER_CASE(MUSTER_I32, int32_t);
    MUSTER_CASE(MUSTER_U32, uint32_t);
    MUSTER_CASE(MUSTER_I64, int64_t);
    MUSTER_CASE(MUSTER_U64, uint64_t);
    MUSTER_CASE(MUSTER_BOOL, uint8_t);
#undef MUSTER_CASE
    case MUSTER_F64:
      return check_floats<long double>(reduction, first, count, got, at, wrong);
    default:
      return check_floats<double>(reduction, first, count, got, at, wrong);
  }
}

}  // namespace muster::ranks
