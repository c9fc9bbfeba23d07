// C++17, header-only: which C++ types are elements, and of what muster_dtype.
#ifndef MUSTER_ELEMENT_HPP
#define MUSTER_ELEMENT_HPP

#include <cstdint>
#include <type_traits>

#include "muster/types.h"

namespace muster::api {

// Bit patterns of the small floats, as types of their own.
struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};
struct f8e4m3 {
  uint8_t bits;
};
struct f8e5m2 {
  uint8_t bits;
};

// The muster_dtype of a C++ type; MUSTER_DTYPE_NONE for one that is no element.
template <typename T>
constexpr muster_dtype dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return MUSTER_BOOL;
  if constexpr (std::is_same_v<T, f16>) return MUSTER_F16;
  if constexpr (std::is_same_v<T, bf16>) return MUSTER_BF16;
  if constexpr (std::is_same_v<T, f8e4m3>) return MUSTER_F8E4M3;
  if constexpr (std::is_same_v<T, f8e5m2>) return MUSTER_F8E5M2;
  if constexpr (std::is_same_v<T, float>) return MUSTER_F32;
  if constexpr (std::is_same_v<T, double>) return MUSTER_F64;
  if constexpr (std::is_same_v<T, char> || std::is_same_v<T, wchar_t>) return MUSTER_DTYPE_NONE;
  // By size and sign, so that long and long long both serve.
  if constexpr (std::is_integral_v<T>) {
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 1) return is_signed ? MUSTER_I8 : MUSTER_U8;
    if constexpr (sizeof(T) == 2) return is_signed ? MUSTER_I16 : MUSTER_U16;
    if constexpr (sizeof(T) == 4) return is_signed ? MUSTER_I32 : MUSTER_U32;
    if constexpr (sizeof(T) == 8) return is_signed ? MUSTER_I64 : MUSTER_U64;
  }
  return MUSTER_DTYPE_NONE;
}

namespace detail {
// Keeps a parameter out of the deduction of T, so that nullptr can be passed where a rank's buffer
// is not read.
template <typename T>
struct Same {
  using type = T;
};
template <typename T>
using same = typename Same<T>::type;
template <typename T>
using if_element = std::enable_if_t<dtype_of<T>() != MUSTER_DTYPE_NONE, int>;
}  // namespace detail

}  // namespace muster::api

#endif
