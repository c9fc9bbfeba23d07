// How an element of each dtype is stored and what it is combined as; the reduce operations on what
// it is combined as. Private to the host kernels.
#ifndef MUSTER_CORE_KERNELS_HOST_ELEMENTS_HPP
#define MUSTER_CORE_KERNELS_HOST_ELEMENTS_HPP

#include <cstdint>
#include <limits>
#include <type_traits>

#include "muster/narrow_float.hpp"
#include "muster/types.h"

namespace muster::kernels {

// Unsigned, in each of them: the element type that gives the same bits where a sign does not
// matter.

// Integers wrap: arithmetic is done unsigned and never below 32 bits, where promotion would make it
// signed again.
template <typename T>
struct Integer {
  using Stored = T;
  using Value = T;
  using Wrapping = std::common_type_t<std::make_unsigned_t<T>, uint32_t>;
  using Widest = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  using Unsigned = Integer<std::make_unsigned_t<T>>;
  static Value load(Stored stored) { return stored; }
  static Stored store(Value value) { return value; }
  static Value add(Value a, Value b) {
    return static_cast<Value>(static_cast<Wrapping>(a) + static_cast<Wrapping>(b));
  }
  static Value multiply(Value a, Value b) {
    return static_cast<Value>(static_cast<Wrapping>(a) * static_cast<Wrapping>(b));
  }
  static Value divide(Value a, uint64_t divisor) {
    return static_cast<Value>(static_cast<Widest>(a) / static_cast<Widest>(divisor));
  }
};

// Computed as integers, then anything but 0 is 1: sum is or, prod and min are and, avg is 1 where
// every source is 1.
struct Bool {
  using Unsigned = Bool;
  using Stored = uint8_t;
  using Value = uint32_t;
  static Value load(Stored stored) { return stored != 0 ? 1 : 0; }
  static Stored store(Value value) { return value != 0 ? 1 : 0; }
  static Value add(Value a, Value b) { return a + b; }
  static Value multiply(Value a, Value b) { return a * b; }
  static Value divide(Value a, uint64_t divisor) { return static_cast<Value>(a / divisor); }
};

template <typename T>
struct Floating {
  using Value = T;
  static Value add(Value a, Value b) { return a + b; }
  static Value multiply(Value a, Value b) { return a * b; }
  static Value divide(Value a, uint64_t divisor) { return a / static_cast<Value>(divisor); }
};

struct F16 : Floating<float> {
  using Unsigned = F16;
  using Stored = uint16_t;
  static Value load(Stored stored) { return f16_to_f32(stored); }
  static Stored store(Value value) { return f32_to_f16(value); }
};

struct Bf16 : Floating<float> {
  using Unsigned = Bf16;
  using Stored = uint16_t;
  static Value load(Stored stored) { return bf16_to_f32(stored); }
  static Stored store(Value value) { return f32_to_bf16(value); }
};

template <typename T>
struct Native : Floating<T> {
  using Unsigned = Native;
  using Stored = T;
  static T load(Stored stored) { return stored; }
  static Stored store(T value) { return value; }
};

// One combination step of a reduce operation. avg adds; the division comes at the end.
template <typename Element, muster_redop kRedop>
typename Element::Value combine(typename Element::Value a, typename Element::Value b) {
  using Value = typename Element::Value;
  if constexpr (kRedop == MUSTER_SUM || kRedop == MUSTER_AVG) return Element::add(a, b);
  if constexpr (kRedop == MUSTER_PROD) return Element::multiply(a, b);
  if constexpr (kRedop == MUSTER_MIN || kRedop == MUSTER_MAX) {
    const bool a_first = kRedop == MUSTER_MIN ? a < b : b < a;
    if constexpr (std::is_floating_point_v<Value>) {
      return (a_first | (a != a)) ? a : b;  // a NaN of b is taken because no comparison holds
    } else {
      return a_first ? a : b;
    }
  }
  if constexpr (std::is_integral_v<Value>) {
    if constexpr (kRedop == MUSTER_BAND) return static_cast<Value>(a & b);
    if constexpr (kRedop == MUSTER_BOR) return static_cast<Value>(a | b);
    if constexpr (kRedop == MUSTER_BXOR) return static_cast<Value>(a ^ b);
    if constexpr (kRedop == MUSTER_LAND) return static_cast<Value>((a != 0) & (b != 0));
    if constexpr (kRedop == MUSTER_LOR) return static_cast<Value>((a != 0) | (b != 0));
    if constexpr (kRedop == MUSTER_LXOR) return static_cast<Value>((a != 0) ^ (b != 0));
  }
}

}  // namespace muster::kernels

#endif
