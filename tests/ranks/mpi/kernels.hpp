// The host_reduce/1 kernels that the test host gives the plugin: the contract written down plainly.
#ifndef MUSTER_TESTS_RANKS_MPI_KERNELS_HPP
#define MUSTER_TESTS_RANKS_MPI_KERNELS_HPP

#include "muster/kernels.h"

namespace muster::testing {

// NULL for what is not defined.
muster_kernel_function kernel(const muster_kernel_key& key);

}  // namespace muster::testing

#endif
