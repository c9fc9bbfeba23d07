// One instruction set's kernels under the programs of this folder.
#ifndef MUSTER_TESTS_RANKS_INSTRUCTION_SET_HPP
#define MUSTER_TESTS_RANKS_INSTRUCTION_SET_HPP

#include <string>

#include "muster/muster.h"

namespace muster::ranks {

// A test that cannot run on this machine exits with this.
inline constexpr int kSkipped = 77;

// Whether this processor has it; "" and "generic" every one has, and "native", what `muster
// precompile` has built on this machine.
bool processor_has(const std::string& instruction_set);

// The configuration that has its kernels used, "" for "".
std::string kernels_config(const std::string& instruction_set);

// Whether the runtime says that its kernels are in use, and those of no other one.
bool kernels_in_use(muster_runtime* runtime, const std::string& instruction_set);

}  // namespace muster::ranks

#endif
