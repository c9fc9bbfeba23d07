// How a process ends after the plugin initialised MPI: exit_main PLUGIN MODE.
//   tidy: everything is closed.          abandoned: exit without closing anything.
//   twice: two runtimes, one after the other.
//   one-fails: rank 1 exits 3 at once, rank 0 works on for longer than the plugin waits at exit.
//   outside: started without mpirun; nothing may be initialised.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/ranks/mpi/host.hpp"

using muster::testing::Group;
using muster::testing::Plugin;
using muster::testing::World;

namespace {

bool served(const World& world, uint64_t tag) {
  Group group(world, world.everybody(), tag);
  muster_call call{};
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = MUSTER_BARRIER;
  return group.connected().ok() && group.execute(call).ok();
}

int outside(const Plugin& plugin) {
  auto facts = plugin.probe();
  const bool right = plugin.bootstrap().available(plugin.instance()) == 0 && facts.size() == 1 &&
                     facts["mpi.version"].rfind("Open MPI v", 0) == 0;
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string mode = argv[2];
  auto* plugin = new Plugin(argv[1]);
  if (mode == "outside") {
    const int result = outside(*plugin);
    delete plugin;
    return result;
  }
  if (plugin->probe()["mpi.state"] != "launched") return EXIT_FAILURE;
  auto* world = new World(*plugin);
  if (!world->opened().ok() || !served(*world, 1)) return EXIT_FAILURE;
  if (mode == "abandoned") {
    auto* group = new Group(*world, world->everybody(), 2);
    std::exit(group->connected().ok() ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  if (mode == "one-fails") {
    if (world->rank() == 1) std::exit(3);
    std::this_thread::sleep_for(std::chrono::minutes(5));
  }
  delete world;
  delete plugin;
  if (mode == "twice") {
    const Plugin again(argv[1]);
    const World second(again);
    if (!second.opened().ok() || !served(second, 1)) return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
