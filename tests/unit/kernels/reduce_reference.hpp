// What host_reduce/1 must give, element by element and apart from the kernels' own sources.
#ifndef MUSTER_TESTS_UNIT_KERNELS_REDUCE_REFERENCE_HPP
#define MUSTER_TESTS_UNIT_KERNELS_REDUCE_REFERENCE_HPP

#include <cstdint>
#include <vector>

#include "muster/types.h"

namespace muster {

using Bytes = std::vector<unsigned char>;

// Elements of every kind: for floats also NaN, infinities, zeros of both signs and subnormals.
Bytes random_elements(muster_dtype dtype, uint64_t count, uint32_t seed);

// `scalar` as in the contract: one element or NULL.
Bytes reduce_reference(muster_dtype dtype, muster_redop redop, const std::vector<Bytes>& sources,
                       const void* scalar, uint64_t divisor);

// The first element that is not the expected one, -1 when all are. Any NaN stands for any other.
int64_t first_wrong(muster_dtype dtype, const Bytes& expected, const unsigned char* got);

}  // namespace muster

#endif
