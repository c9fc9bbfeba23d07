// What every test of a rank shares: the plugin, its world, and a tag for each new group. The tests
// are collective: every rank runs the same ones in the same order.
#ifndef MUSTER_TESTS_RANKS_MPI_SESSION_HPP
#define MUSTER_TESTS_RANKS_MPI_SESSION_HPP

#include <memory>
#include <string>

#include "tests/ranks/mpi/host.hpp"

namespace muster::testing {

struct Session {
  std::unique_ptr<Plugin> plugin;
  std::unique_ptr<World> world;
  std::string max_count = "2147483647";  // option of every group
  uint64_t next_tag = 1;

  // A group of all ranks.
  std::unique_ptr<Group> group(GroupOptions options = {}) {
    options.values.emplace("max_count", max_count);
    return std::make_unique<Group>(*world, world->everybody(), next_tag++, std::move(options));
  }
};

Session& session();

// Runs the tests of this program: [--init=LEVEL] [--max-count=N] PLUGIN and GoogleTest's arguments.
// begin is called with LEVEL before the plugin is loaded, end after it was closed.
int run_session(int argc, char** argv, void (*begin)(const std::string& level), void (*end)());

}  // namespace muster::testing

#endif
