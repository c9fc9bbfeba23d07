#include "tests/ranks/mpi/kernels.hpp"

#include <cmath>
#include <cstring>
#include <type_traits>

namespace muster::testing {
namespace {

template <typename T>
T load(const void* from, uint64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(from) + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
T wrapped(uint64_t value) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(value));
}

template <typename T, muster_redop Redop>
T combine(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if constexpr (Redop == MUSTER_MIN || Redop == MUSTER_MAX) {
      if (std::isnan(a)) return a;
      if (std::isnan(b)) return b;
      return (Redop == MUSTER_MIN) == (b < a) ? b : a;
    }
    return Redop == MUSTER_PROD ? a * b : a + b;
  } else {
    switch (Redop) {
      case MUSTER_PROD:
        return wrapped<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      case MUSTER_MIN:
        return b < a ? b : a;
      case MUSTER_MAX:
        return a < b ? b : a;
      case MUSTER_BAND:
        return static_cast<T>(a & b);
      case MUSTER_BOR:
        return static_cast<T>(a | b);
      case MUSTER_BXOR:
        return static_cast<T>(a ^ b);
      case MUSTER_LAND:
        return a != 0 && b != 0;
      case MUSTER_LOR:
        return a != 0 || b != 0;
      case MUSTER_LXOR:
        return (a != 0) != (b != 0);
      default:
        return wrapped<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    }
  }
}

template <typename T, muster_redop Redop>
void reduce(void* dst, const void* const* sources, uint32_t n, uint64_t count, const void* scalar,
            uint64_t divisor) {
  for (uint64_t i = 0; i < count; ++i) {
    T result{};
    for (uint32_t s = 0; s < n; ++s) {
      T value = load<T>(sources[s], i);
      if (scalar != nullptr) value = combine<T, MUSTER_PROD>(value, load<T>(scalar, 0));
      result = s == 0 ? value : combine<T, Redop>(result, value);
    }
    if (divisor > 1) result = static_cast<T>(result / static_cast<T>(divisor));
    std::memcpy(static_cast<char*>(dst) + i * sizeof(T), &result, sizeof(T));
  }
}

template <typename T>
muster_host_reduce of_redop(muster_redop redop) {
  switch (redop) {
    case MUSTER_SUM:
      return reduce<T, MUSTER_SUM>;
    case MUSTER_PROD:
      return reduce<T, MUSTER_PROD>;
    case MUSTER_MIN:
      return reduce<T, MUSTER_MIN>;
    case MUSTER_MAX:
      return reduce<T, MUSTER_MAX>;
    case MUSTER_AVG:
      return reduce<T, MUSTER_AVG>;
    default:
      break;
  }
  if constexpr (std::is_integral_v<T>) {
    switch (redop) {
      case MUSTER_BAND:
        return reduce<T, MUSTER_BAND>;
      case MUSTER_BOR:
        return reduce<T, MUSTER_BOR>;
      case MUSTER_BXOR:
        return reduce<T, MUSTER_BXOR>;
      case MUSTER_LAND:
        return reduce<T, MUSTER_LAND>;
      case MUSTER_LOR:
        return reduce<T, MUSTER_LOR>;
      case MUSTER_LXOR:
        return reduce<T, MUSTER_LXOR>;
      default:
        break;
    }
  }
  return nullptr;
}

muster_host_reduce of_dtype(muster_dtype dtype, muster_redop redop) {
  switch (dtype) {
    case MUSTER_I8:
      return of_redop<int8_t>(redop);
    case MUSTER_U8:
      return of_redop<uint8_t>(redop);
    case MUSTER_I16:
      return of_redop<int16_t>(redop);
    case MUSTER_U16:
      return of_redop<uint16_t>(redop);
    case MUSTER_I32:
      return of_redop<int32_t>(redop);
    case MUSTER_U32:
      return of_redop<uint32_t>(redop);
    case MUSTER_I64:
      return of_redop<int64_t>(redop);
    case MUSTER_U64:
      return of_redop<uint64_t>(redop);
    case MUSTER_F32:
      return of_redop<float>(redop);
    case MUSTER_F64:
      return of_redop<double>(redop);
    default:
      return nullptr;
  }
}

}  // namespace

muster_kernel_function kernel(const muster_kernel_key& key) {
  return reinterpret_cast<muster_kernel_function>(of_dtype(key.dtype, key.redop));
}

}  // namespace muster::testing
