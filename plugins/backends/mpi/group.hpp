// One rank's part of one group: carries each call to the part that executes it. Thread rule:
// group-serial; abort any thread.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_GROUP_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_GROUP_HPP

#include "muster/call.h"
#include "muster/plugin.hpp"
#include "plugins/backends/mpi/communicator.hpp"

namespace muster::mpi {

class Group {
 public:
  explicit Group(plugin::Group group) : comm_(group) {}
  void connect() { comm_.connect(); }
  void execute(const muster_call& call);
  // Sends and receives are posted together, then the collectives run in order, then all is awaited.
  void execute_batch(const muster_call* calls, uint32_t count);
  void abort() { comm_.abort(); }

 private:
  Communicator comm_;
};

}  // namespace muster::mpi

#endif
