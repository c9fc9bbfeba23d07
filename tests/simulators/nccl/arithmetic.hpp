// NCCL's reductions over host memory, in rank order: types and operations by NCCL's numbers.
//
// As NCCL's: narrow floats are rounded at every step, minimum and maximum lose NaN, the average of
// integers divides the wrapped sum, that of floats multiplies by 1/n first.
#ifndef MUSTER_TESTS_SIMULATORS_NCCL_ARITHMETIC_HPP
#define MUSTER_TESTS_SIMULATORS_NCCL_ARITHMETIC_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::simulators {

// 0: no such type.
size_t bytes_of(int datatype);

struct Reduction {
  int op = 0;           // below 5, or 0 with a scalar
  bool scaled = false;  // every input is multiplied by the scalar first
  unsigned char scalar[8] = {};
};

// out takes `count` elements; sources, one per rank, begin at the element.
void reduce(int datatype, const Reduction& reduction, const std::vector<const void*>& sources,
            size_t count, void* out);

}  // namespace muster::simulators

#endif
