// A rank as `muster run` starts it, for launcher_test.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <numeric>
#include <string_view>

#include "core/bootstrap/deadline.hpp"
#include "core/bootstrap/world.hpp"

int main(int argc, char** argv) {
  using namespace muster;
  uint64_t deadline = deadline_after(std::chrono::seconds(60));
  auto world = World::open(local_bootstrap(), nullptr, "local", deadline);
  if (!world.ok()) {
    std::fprintf(stderr, "%s\n", world.status().message().c_str());
    return 20;
  }
  std::vector<uint32_t> ranks((*world)->size());
  std::iota(ranks.begin(), ranks.end(), 0u);
  if (!(*world)->barrier(ranks, 1, deadline).ok()) return 21;
  if (argc > 1 && std::string_view(argv[1]) == "lose-rank-1") {
    if ((*world)->rank() == 1) raise(SIGKILL);
    return (*world)->barrier(ranks, 1, deadline).code() == MUSTER_PEER_LOST ? 0 : 22;
  }
  return 0;
}
