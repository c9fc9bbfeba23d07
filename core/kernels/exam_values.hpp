// The elements that variants are tested with.
#ifndef MUSTER_CORE_KERNELS_EXAM_VALUES_HPP
#define MUSTER_CORE_KERNELS_EXAM_VALUES_HPP

#include <cstdint>
#include <vector>

#include "muster/types.h"

namespace muster {

// `count` elements, equal for equal arguments; of floats some are NaN, infinite, zero of either
// sign or subnormal, most are of like size so that sums round.
std::vector<unsigned char> exam_elements(muster_dtype dtype, uint64_t count, uint64_t seed);

// Whether two elements are the same, bit for bit; any NaN is as good as another.
bool same_element(muster_dtype dtype, const unsigned char* a, const unsigned char* b);

}  // namespace muster

#endif
