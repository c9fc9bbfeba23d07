// Elements of any dtype as numbers, for tests with small known values. Not on the path of a call.
#ifndef MUSTER_CORE_AGREE_TEST_VALUES_HPP
#define MUSTER_CORE_AGREE_TEST_VALUES_HPP

#include <cstdint>

#include "muster/types.h"

namespace muster {

// Writes a small integer as one element. fp8 takes the value's low byte as a bit pattern.
void store_value(muster_dtype dtype, void* base, uint64_t index, int64_t value);
// Reads one element back; fp8 as its bit pattern.
double load_value(muster_dtype dtype, const void* base, uint64_t index);

// What a reduce operation makes of small integers, one per rank, in the arithmetic of the dtype
// (integers wrap at its width).
double combine_values(muster_dtype dtype, muster_redop redop, const int64_t* values,
                      uint32_t count);

}  // namespace muster

#endif
