// The plugin's instance: what it finds out about MPI in this process (facts), and which calls it
// would take for a described group (a pure function of those facts).
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_BACKEND_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_BACKEND_HPP

#include <memory>

#include "muster/plugin.hpp"
#include "plugins/backends/mpi/group.hpp"

namespace muster::mpi {

class Backend {
 public:
  static constexpr int32_t kPriority = 10;
  static constexpr muster_option kOptions[] = {
      plugin::option("adopt_comm", MUSTER_OPTION_TEXT, "",
                     "the program's MPI_Comm handle, as a number, whose ranks are the group's"),
      plugin::option("max_count", MUSTER_OPTION_INTEGER, "2147483647",
                     "the most elements or bytes given to one MPI call; lower only to test", 1,
                     2147483647),
  };

  explicit Backend(plugin::Host host) : host_(host) {}
  // Never initialises MPI. mpi.version always; mpi.state ("initialised", "launched"), mpi.job,
  // mpi.rank, mpi.size where this process belongs to an MPI job; mpi.thread once initialised.
  void probe(plugin::Facts facts);
  void offer(plugin::Query query);
  std::unique_ptr<Group> prepare(plugin::Group group);
  const void* interface(const char* name);

 private:
  plugin::Host host_;
};

}  // namespace muster::mpi

#endif
