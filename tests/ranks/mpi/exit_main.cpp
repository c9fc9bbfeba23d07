// How a process ends after the plugin initialised MPI: exit_main PLUGIN MODE.
//   tidy: everything is closed.          abandoned: exit without closing anything.
//   twice: two runtimes, one after the other.
//   one-fails: rank 1 exits 3 at once, rank 0 works on for longer than the plugin waits at exit.
//   outside: started without mpirun; MPI's library may not even be opened.
//   without-library: as by mpirun, but its library is another one.
#include <dlfcn.h>

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

// Nothing asks for MPI: no facts, and its library stays where it is.
int outside(const Plugin& plugin) {
  const bool right = plugin.probe().empty() &&
                     plugin.bootstrap().available(plugin.instance()) == 0 &&
                     dlopen("libmpi.so.40", RTLD_LAZY | RTLD_NOLOAD) == nullptr;
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

// A launcher whose library is not to be had: the probe says what is missing, nothing is available.
int without_library(const Plugin& plugin) {
  try {
    plugin.probe();
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
  }
  return plugin.bootstrap().available(plugin.instance()) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string mode = argv[2];
  auto* plugin = new Plugin(argv[1]);
  if (mode == "outside" || mode == "without-library") {
    const int result = mode == "outside" ? outside(*plugin) : without_library(*plugin);
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
