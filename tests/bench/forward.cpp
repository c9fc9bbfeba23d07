#include "tests/bench/forward.hpp"

#include <cstdlib>

muster_status* bench_forward(Forward* forward) {
  if (forward->execute(forward->group, forward->call) != nullptr) std::abort();
  return nullptr;
}
