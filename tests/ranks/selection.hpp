// Which cases the matrix runs in a world.
#ifndef MUSTER_TESTS_RANKS_SELECTION_HPP
#define MUSTER_TESTS_RANKS_SELECTION_HPP

#include <cstdint>
#include <vector>

#include "tests/ranks/case.hpp"

namespace muster::ranks {

// Counts at which backends change their way, and one beside them: for a call of this operation and
// dtype in a world of `size`.
std::vector<uint64_t> edge_counts(muster_op op, muster_dtype dtype, uint32_t size);
// The count with which a rank's buffers hold `bytes` in total.
uint64_t count_of_bytes(muster_op op, muster_dtype dtype, uint32_t size, uint64_t bytes);
// Reduce operations that are defined for an operation and a dtype: NONE alone where nothing is
// reduced, none where the dtype is not taken.
std::vector<muster_redop> redops_of(muster_op op, muster_dtype dtype);
std::vector<muster_dtype> dtypes_of(muster_op op);

// Everything about a case that is not given by op, dtype and redop, at random.
Case random_case(muster_op op, muster_dtype dtype, muster_redop redop, uint32_t size,
                 uint64_t seed);

// Every operation x dtype x reduce operation once, every operation at every edge in and out of
// place, every operation in every mode, every operation at 10 MB; the rest at random.
std::vector<Case> pairwise_cases(uint32_t size, uint64_t seed);
// Every operation x dtype x reduce operation x in and out of place x count; 10 MB in one of both
// places.
std::vector<Case> all_cases(uint32_t size, uint64_t seed);

// Gives the buffers of each case a place in memory that the group shares.
void place_in_shared_memory(std::vector<Case>& cases);

}  // namespace muster::ranks

#endif
