// Interface muster.bootstrap/1 over MPI: the ranks of MPI_COMM_WORLD meet through a duplicate of
// it. Initialises MPI when nobody did. Thread rule: all_gather any thread, the rest set-up.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_BOOTSTRAP_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_BOOTSTRAP_HPP

#include "muster/bootstrap.h"

namespace muster::mpi {

const muster_bootstrap* bootstrap_table();

}  // namespace muster::mpi

#endif
