// The reductions over MPI: all_reduce, reduce, reduce_scatter, reduce_scatterv.
//
// A call is cut into pieces that fit MPI's int counts; each piece is prepared (widened, scaled),
// reduced by one MPI call, and finished (divided, rounded) in place. Thread rule: group-serial.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_REDUCE_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_REDUCE_HPP

#include "muster/call.h"
#include "plugins/backends/mpi/communicator.hpp"

namespace muster::mpi {

constexpr bool is_reduction(muster_op op) {
  return op == MUSTER_ALL_REDUCE || op == MUSTER_REDUCE || op == MUSTER_REDUCE_SCATTER ||
         op == MUSTER_REDUCE_SCATTERV;
}

void reduce(Communicator& comm, const muster_call& call);

}  // namespace muster::mpi

#endif
