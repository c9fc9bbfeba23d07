// Elements of every dtype for the tests: inputs that any rank can compute for any other, and the
// reference results in higher precision, written independently of the plugin.
#ifndef MUSTER_TESTS_RANKS_MPI_VALUES_HPP
#define MUSTER_TESTS_RANKS_MPI_VALUES_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "muster/types.h"

namespace muster::testing {

using Bytes = std::vector<unsigned char>;

constexpr uint64_t bytes_of(muster_dtype dtype) { return MUSTER_DTYPE_BYTES(dtype); }
bool reduces(muster_dtype dtype, muster_redop redop);

// `count` elements that rank `rank` gives. Integers use their whole range; floats are small
// multiples of 1/4, and sometimes NaN for min and max.
Bytes inputs(muster_dtype dtype, muster_redop redop, uint32_t rank, uint64_t seed, uint64_t count);
// The scalar 3 of a dtype.
Bytes three(muster_dtype dtype);
// A float as a 16-bit element; exact values only.
uint16_t half_of(muster_dtype dtype, double value);

// "" when out holds what reducing the inputs of all ranks gives, else what is wrong first.
std::string wrong_reduction(muster_dtype dtype, muster_redop redop, uint32_t ranks, uint64_t seed,
                            uint64_t count, bool scaled, const unsigned char* out, uint64_t from,
                            uint64_t to);

}  // namespace muster::testing

#endif
