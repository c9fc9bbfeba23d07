#include "tests/simulators/nccl/arithmetic.hpp"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "muster/narrow_float.hpp"

namespace muster::simulators {
namespace {

// Elements as NCCL computes with them: a stored form, and one to compute in.
template <typename T>
struct Plain {
  using Stored = T;
  using Value = T;
  static Value load(Stored stored) { return stored; }
  static Stored store(Value value) { return value; }
};
struct Half {
  using Stored = uint16_t;
  using Value = float;
  static Value load(Stored stored) { return f16_to_f32(stored); }
  static Stored store(Value value) { return f32_to_f16(value); }
};
struct Brain {
  using Stored = uint16_t;
  using Value = float;
  static Value load(Stored stored) { return bf16_to_f32(stored); }
  static Stored store(Value value) { return f32_to_bf16(value); }
};
struct E4m3 {
  using Stored = uint8_t;
  using Value = float;
  static Value load(Stored stored) { return f8e4m3_to_f32(stored); }
  static Stored store(Value value) { return f32_to_f8e4m3(value); }
};
struct E5m2 {  // the upper half of an f16
  using Stored = uint8_t;
  using Value = float;
  static Value load(Stored stored) { return f16_to_f32(static_cast<uint16_t>(stored << 8)); }
  static Stored store(Value value) {
    const uint32_t half = f32_to_f16(value);
    return static_cast<Stored>((half + 0x7f + ((half >> 8) & 1)) >> 8);
  }
};

enum { kSum = 0, kProd = 1, kMax = 2, kMin = 3, kAvg = 4 };

// Wraps where integers do.
template <typename T>
T wrapped(T a, T b, bool product) {
  if constexpr (std::is_floating_point_v<T>) {
    return product ? a * b : a + b;
  } else {
    const auto x = static_cast<uint64_t>(a);
    const auto y = static_cast<uint64_t>(b);
    return static_cast<T>(product ? x * y : x + y);
  }
}

template <typename E>
void reduce_as(const Reduction& reduction, const std::vector<const void*>& sources, size_t count,
               void* out) {
  using Stored = typename E::Stored;
  using Value = typename E::Value;
  constexpr bool kFloat = std::is_floating_point_v<Value>;
  const auto ranks = static_cast<Value>(sources.size());
  Stored scalar;
  std::memcpy(&scalar, reduction.scalar, sizeof(scalar));
  const auto rounded = [](Value value) { return E::load(E::store(value)); };
  const auto source = [&](size_t rank, size_t i) {
    Stored stored;
    std::memcpy(&stored, static_cast<const char*>(sources[rank]) + i * sizeof(Stored),
                sizeof(Stored));
    Value value = E::load(stored);
    if (reduction.scaled) value = rounded(wrapped<Value>(value, E::load(scalar), true));
    if constexpr (kFloat) {
      if (reduction.op == kAvg) value = rounded(value * rounded(Value{1} / ranks));
    }
    return value;
  };
  for (size_t i = 0; i < count; ++i) {
    Value sum = source(0, i);
    for (size_t rank = 1; rank < sources.size(); ++rank) {
      const Value next = source(rank, i);
      switch (reduction.op) {
        case kMax:
          sum = kFloat ? static_cast<Value>(std::fmax(sum, next)) : (sum < next ? next : sum);
          break;
        case kMin:
          sum = kFloat ? static_cast<Value>(std::fmin(sum, next)) : (next < sum ? next : sum);
          break;
        default:
          sum = rounded(wrapped<Value>(sum, next, reduction.op == kProd));
      }
    }
    if constexpr (!kFloat) {
      if (reduction.op == kAvg) sum = static_cast<Value>(sum / ranks);
    }
    const Stored stored = E::store(sum);
    std::memcpy(static_cast<char*>(out) + i * sizeof(Stored), &stored, sizeof(stored));
  }
}

}  // namespace

size_t bytes_of(int datatype) {
  constexpr size_t kBytes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return datatype < 0 || datatype >= 12 ? 0 : kBytes[datatype];
}

void reduce(int datatype, const Reduction& reduction, const std::vector<const void*>& sources,
            size_t count, void* out) {
  switch (datatype) {
    case 0:
      return reduce_as<Plain<int8_t>>(reduction, sources, count, out);
    case 1:
      return reduce_as<Plain<uint8_t>>(reduction, sources, count, out);
    case 2:
      return reduce_as<Plain<int32_t>>(reduction, sources, count, out);
    case 3:
      return reduce_as<Plain<uint32_t>>(reduction, sources, count, out);
    case 4:
      return reduce_as<Plain<int64_t>>(reduction, sources, count, out);
    case 5:
      return reduce_as<Plain<uint64_t>>(reduction, sources, count, out);
    case 6:
      return reduce_as<Half>(reduction, sources, count, out);
    case 7:
      return reduce_as<Plain<float>>(reduction, sources, count, out);
    case 8:
      return reduce_as<Plain<double>>(reduction, sources, count, out);
    case 9:
      return reduce_as<Brain>(reduction, sources, count, out);
    case 10:
      return reduce_as<E4m3>(reduction, sources, count, out);
    default:
      return reduce_as<E5m2>(reduction, sources, count, out);
  }
}

}  // namespace muster::simulators
