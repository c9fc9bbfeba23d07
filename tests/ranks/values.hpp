// Random inputs that every rank can compute for every other: an element is a function of seed, rank
// and index.
//
// Integers use their full range, so that sums and products wrap; bools are 0 or 1; floats have
// magnitudes of 0.5 to 2 with both signs, so that sums and products of a few ranks stay in range.
// Pure; any thread. Independent of the runtime's sources on purpose.
#ifndef MUSTER_TESTS_RANKS_VALUES_HPP
#define MUSTER_TESTS_RANKS_VALUES_HPP

#include <cstdint>

#include "muster/types.h"

namespace muster::ranks {

// A well-mixed function of its arguments.
constexpr uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}
template <typename... More>
constexpr uint64_t mix(uint64_t value, More... more) {
  return mix(mix(value) ^ mix(static_cast<uint64_t>(more)...));
}

// Of one element; 1 for calls without data.
constexpr uint64_t bytes_of(muster_dtype dtype) {
  return dtype == MUSTER_DTYPE_NONE ? 1 : MUSTER_DTYPE_BYTES(dtype);
}
bool is_float(muster_dtype dtype);    // of those that reduce
bool is_integer(muster_dtype dtype);  // bool is none
// Whether the contract of types.h defines the reduction.
bool reduces(muster_dtype dtype, muster_redop redop);

// One rank's input of one call.
struct Input {
  uint64_t seed;
  uint32_t rank;
  muster_dtype dtype;
  bool special = false;  // some floats are NaN, infinite, or a zero of either sign

  // Elements first, first + 1, ... of it.
  void fill(void* out, uint64_t first, uint64_t count) const;
};

// The exact value of a stored float of up to 32 bits.
double float_value(muster_dtype dtype, const void* element);
// The value of `dtype` (f16, bf16 or f32) that is nearest to `value`, ties to even.
double nearest(muster_dtype dtype, double value);
// The distance of 1 to the next larger value.
double epsilon_of(muster_dtype dtype);

}  // namespace muster::ranks

#endif
