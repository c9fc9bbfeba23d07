// What each rank of a group receives in one collective call, by the definitions of types.h, worked
// out in one place from the records of all ranks. Mocks compute with it; tests compare with it.
//
// Pure but for the further outputs of the fused operation, which are written at once. Any thread.
#ifndef MUSTER_TESTING_COLLECTIVE_HPP
#define MUSTER_TESTING_COLLECTIVE_HPP

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muster/call.h"
#include "muster/kernels.h"

namespace muster::testing {

// The kernel of a family (kernels.h), NULL when there is none: what reductions and norms are
// computed with. muster_host.kernel is one.
using KernelLookup =
    std::function<muster_kernel_function(const char* family, muster_dtype, muster_redop)>;

// Bytes to be written at an offset of a rank's recv.
struct Piece {
  uint64_t offset;
  std::vector<char> bytes;
};

// calls: one per rank, in rank order. Not for send, which receives nothing. Throws plugin::Failure
// when a kernel is missing.
std::vector<Piece> result_of(const std::vector<const muster_call*>& calls, uint32_t rank,
                             const KernelLookup& kernels);
void write_pieces(void* recv, const std::vector<Piece>& pieces);

// In what the ranks do not agree though they must, as a sentence; "" when they do. Not for
// messages, which concern two ranks only.
std::string disagreement_of(const std::vector<const muster_call*>& calls);

}  // namespace muster::testing

#endif
