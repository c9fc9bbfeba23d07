// Ranks of a test program: this process as one rank of a launched world, or threads of it.
#ifndef MUSTER_TESTS_RANKS_WORLD_HPP
#define MUSTER_TESTS_RANKS_WORLD_HPP

#include <cstdint>
#include <functional>
#include <string>

#include "muster/muster.h"

namespace muster::ranks {

// Runs body with an initialised runtime and finalizes it: in this thread for threads = 0 (started
// by muster run or mpirun, or alone), else in that many threads of a world of theirs. Returns the
// largest of what body returned; 1 when the world could not be made, said on stderr.
int run_ranks(uint32_t threads, const std::string& config_text,
              const std::function<int(muster_runtime*)>& body);

}  // namespace muster::ranks

#endif
