// The reference of fused_all_reduce_rmsnorm: a row in f64, with the error that roundings of the
// dtype at the sum, at the residual's sum and at the result may leave, or the quantisation of the
// result. Pure; any thread.
#ifndef MUSTER_TESTS_RANKS_FUSED_HPP
#define MUSTER_TESTS_RANKS_FUSED_HPP

#include "tests/ranks/case.hpp"
#include "tests/ranks/reference.hpp"

namespace muster::ranks {

struct FusedInputs {
  Reduction reduction;  // of what is summed
  Input residual;
  bool has_residual;
  Input weight;
  double epsilon;
};

// What a call wrote for one row.
struct FusedRow {
  const void* recv;
  const void* residual_out;
  const void* scales;  // NULL: not quantised
};

void check_fused_row(const FusedInputs& inputs, uint64_t row, const FusedRow& got, Wrong& wrong);

}  // namespace muster::ranks

#endif
