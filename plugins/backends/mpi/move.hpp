// The operations over MPI that only move data, as bytes of any dtype, and barrier.
//
// One MPI call where its int counts suffice on every rank; else the same pattern as messages, which
// Communicator cuts into pieces. The v-variants whose counts not every rank knows are always
// messages: the ranks could not agree on which of the two it is. Thread rule: group-serial.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_MOVE_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_MOVE_HPP

#include <vector>

#include "muster/call.h"
#include "plugins/backends/mpi/communicator.hpp"

namespace muster::mpi {

constexpr bool is_point_to_point(muster_op op) {
  return op == MUSTER_SEND || op == MUSTER_RECV || op == MUSTER_SEND_RECV;
}

// Collectives. Throws UNIMPLEMENTED for an operation that is not one of them.
void move(Communicator& comm, const muster_call& call);

// Adds the messages of one point-to-point call.
void add_messages(const muster_call& call, std::vector<Transfer>& transfers);

}  // namespace muster::mpi

#endif
