#include "tests/unit/kernels/reduce_reference.hpp"

#include <cmath>
#include <cstring>
#include <random>

#include "muster/narrow_float.hpp"

namespace muster {
namespace {

template <typename T>
T element(const Bytes& bytes, uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// How a stored element is computed with: `Value`, and both ways between.
template <typename T>
struct Plain {
  using Stored = T;
  using Value = T;
  static Value in(Stored s) { return s; }
  static Stored out(Value v) { return v; }
};
struct Half {
  using Stored = uint16_t;
  using Value = float;
  static Value in(Stored s) { return f16_to_f32(s); }
  static Stored out(Value v) { return f32_to_f16(v); }
};
struct Brain {
  using Stored = uint16_t;
  using Value = float;
  static Value in(Stored s) { return bf16_to_f32(s); }
  static Stored out(Value v) { return f32_to_bf16(v); }
};
struct Truth {
  using Stored = uint8_t;
  using Value = uint32_t;
  static Value in(Stored s) { return s != 0; }
  static Stored out(Value v) { return v != 0; }
};

template <typename V>
V multiplied(V a, V b) {
  if constexpr (std::is_floating_point_v<V>) {
    volatile V product = a * b;  // rounded before it is used
    return product;
  } else {
    return static_cast<V>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
}

template <typename V>
V combined(muster_redop redop, V a, V b) {
  constexpr bool kFloat = std::is_floating_point_v<V>;
  switch (redop) {
    case MUSTER_SUM:
    case MUSTER_AVG:
      if constexpr (kFloat) return a + b;
      return static_cast<V>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    case MUSTER_PROD:
      return multiplied(a, b);
    case MUSTER_MIN:
    case MUSTER_MAX:
      if constexpr (kFloat) {
        if (std::isnan(a)) return a;
        if (std::isnan(b)) return b;
      }
      // of equal ones, such as two zeros, the later
      if (redop == MUSTER_MIN) return a < b ? a : b;
      return b < a ? a : b;
    default:
      break;
  }
  if constexpr (!kFloat) {
    switch (redop) {
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
      default:
        return (a != 0) != (b != 0);
    }
  }
  return a;
}

template <typename Kind>
Bytes reference(muster_redop redop, const std::vector<Bytes>& sources, const void* scalar,
                uint64_t divisor) {
  using Value = typename Kind::Value;
  using Stored = typename Kind::Stored;
  Bytes out(sources[0].size());
  for (uint64_t i = 0; i < out.size() / sizeof(Stored); ++i) {
    Value result{};
    for (size_t s = 0; s < sources.size(); ++s) {
      Value value = Kind::in(element<Stored>(sources[s], i));
      if (redop == MUSTER_SUM && scalar != nullptr) {
        Stored factor;
        std::memcpy(&factor, scalar, sizeof(factor));
        value = multiplied(value, Kind::in(factor));
      }
      if (s == 0 && redop >= MUSTER_LAND) value = value != 0;
      result = s == 0 ? value : combined(redop, result, value);
    }
    if (redop == MUSTER_AVG && divisor > 1) {
      if constexpr (std::is_signed_v<Value> && std::is_integral_v<Value>) {
        result = static_cast<Value>(result / static_cast<int64_t>(divisor));
      } else {
        result = static_cast<Value>(result / static_cast<Value>(divisor));
      }
    }
    const Stored stored = Kind::out(result);
    std::memcpy(out.data() + i * sizeof(Stored), &stored, sizeof(stored));
  }
  return out;
}

bool is_nan(muster_dtype dtype, const unsigned char* at) {
  uint16_t half;
  float f32;
  double f64;
  switch (dtype) {
    case MUSTER_F16:
      std::memcpy(&half, at, sizeof(half));
      return std::isnan(f16_to_f32(half));
    case MUSTER_BF16:
      std::memcpy(&half, at, sizeof(half));
      return std::isnan(bf16_to_f32(half));
    case MUSTER_F32:
      std::memcpy(&f32, at, sizeof(f32));
      return std::isnan(f32);
    case MUSTER_F64:
      std::memcpy(&f64, at, sizeof(f64));
      return std::isnan(f64);
    default:
      return false;
  }
}

}  // namespace

Bytes random_elements(muster_dtype dtype, uint64_t count, uint32_t seed) {
  const uint64_t size = muster_dtype_size(dtype);
  Bytes bytes(count * size);
  std::mt19937 random(seed * 16 + dtype);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (uint64_t i = 0; i < count; ++i) {
    unsigned char* const at = bytes.data() + i * size;
    if (dtype == MUSTER_BOOL) *at &= 1;
    if (random() % 16 == 0) std::memset(at, 0, size);  // zeros, else rare
    if (dtype < MUSTER_F16) continue;
    // mostly of like size, so that sums round; the rest stays as random bits made it, with NaN,
    // infinities and subnormals among the narrow ones
    if (random() % 8 == 0) continue;
    const float value = std::ldexp(static_cast<float>(random() % 4096) - 2048, -8);
    if (dtype == MUSTER_F16 || dtype == MUSTER_BF16) {
      const uint16_t half = dtype == MUSTER_F16 ? f32_to_f16(value) : f32_to_bf16(value);
      std::memcpy(at, &half, sizeof(half));
    } else if (dtype == MUSTER_F32) {
      const float special[] = {value / 3, NAN, INFINITY, -INFINITY, 1e-42f, -0.0f};
      std::memcpy(at, &special[random() % 32 < 5 ? 1 + random() % 5 : 0], sizeof(float));
    } else {
      const double special[] = {value / 3.0, NAN, INFINITY, -INFINITY, 1e-310, -0.0};
      std::memcpy(at, &special[random() % 32 < 5 ? 1 + random() % 5 : 0], sizeof(double));
    }
  }
  return bytes;
}

Bytes reduce_reference(muster_dtype dtype, muster_redop redop, const std::vector<Bytes>& sources,
                       const void* scalar, uint64_t divisor) {
  switch (dtype) {
    case MUSTER_I8:
      return reference<Plain<int8_t>>(redop, sources, scalar, divisor);
    case MUSTER_U8:
      return reference<Plain<uint8_t>>(redop, sources, scalar, divisor);
    case MUSTER_I16:
      return reference<Plain<int16_t>>(redop, sources, scalar, divisor);
    case MUSTER_U16:
      return reference<Plain<uint16_t>>(redop, sources, scalar, divisor);
    case MUSTER_I32:
      return reference<Plain<int32_t>>(redop, sources, scalar, divisor);
    case MUSTER_U32:
      return reference<Plain<uint32_t>>(redop, sources, scalar, divisor);
    case MUSTER_I64:
      return reference<Plain<int64_t>>(redop, sources, scalar, divisor);
    case MUSTER_U64:
      return reference<Plain<uint64_t>>(redop, sources, scalar, divisor);
    case MUSTER_BOOL:
      return reference<Truth>(redop, sources, scalar, divisor);
    case MUSTER_F16:
      return reference<Half>(redop, sources, scalar, divisor);
    case MUSTER_BF16:
      return reference<Brain>(redop, sources, scalar, divisor);
    case MUSTER_F32:
      return reference<Plain<float>>(redop, sources, scalar, divisor);
    default:
      return reference<Plain<double>>(redop, sources, scalar, divisor);
  }
}

int64_t first_wrong(muster_dtype dtype, const Bytes& expected, const unsigned char* got) {
  const uint64_t size = muster_dtype_size(dtype);
  for (uint64_t i = 0; i * size < expected.size(); ++i) {
    if (std::memcmp(expected.data() + i * size, got + i * size, size) == 0) continue;
    if (is_nan(dtype, expected.data() + i * size) && is_nan(dtype, got + i * size)) continue;
    return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace muster
