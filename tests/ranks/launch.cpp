// launch N PROGRAM [ARGUMENTS...]: the ranks of a world as processes of this machine.
#include <cstdio>
#include <cstdlib>

#include "core/bootstrap/launcher.hpp"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: launch N PROGRAM [ARGUMENTS...]\n");
    return 2;
  }
  muster::LaunchOptions options;
  options.ranks = static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10));
  options.command.assign(argv + 2, argv + argc);
  return muster::launch(options);
}
