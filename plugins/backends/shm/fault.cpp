#include "plugins/backends/shm/fault.hpp"

#include <string>

#include "muster/names.h"

namespace muster::shm {
namespace {

struct Result {
  uint64_t offset;  // elements
  uint64_t count;
};

Result largest_block(const uint64_t* counts, const uint64_t* displs, uint32_t size) {
  Result largest{0, 0};
  uint64_t packed = 0;
  for (uint32_t r = 0; r < size; ++r) {
    if (counts[r] > largest.count) largest = {displs != nullptr ? displs[r] : packed, counts[r]};
    packed += counts[r];
  }
  return largest;
}

// What this rank gets out of a call.
Result result_of(const muster_call& call, uint32_t rank, uint32_t size) {
  const bool root = call.root == rank;
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
    case MUSTER_BROADCAST:
    case MUSTER_REDUCE_SCATTER:
    case MUSTER_SCATTER:
    case MUSTER_SCATTERV:
    case MUSTER_RECV:
      return {0, call.count};
    case MUSTER_REDUCE:
      return {0, root ? call.count : 0};
    case MUSTER_REDUCE_SCATTERV:
      return {0, call.recv_counts[rank]};
    case MUSTER_ALL_GATHER:
    case MUSTER_ALL_TO_ALL:
      return {0, call.count * size};
    case MUSTER_GATHER:
      return {0, root ? call.count * size : 0};
    case MUSTER_ALL_GATHERV:
    case MUSTER_ALL_TO_ALLV:
      return largest_block(call.recv_counts, call.recv_displs, size);
    case MUSTER_GATHERV:
      return root ? largest_block(call.recv_counts, call.recv_displs, size) : Result{0, 0};
    case MUSTER_SEND_RECV:
      return {0, call.recv_count};
    default:
      return {0, 0};
  }
}

}  // namespace

Fault::Fault(const plugin::Group& group) : rank_(group.rank()), size_(group.size()) {
  const std::string name = group.option("fault_flip_op");
  if (name.empty()) return;
  muster_op op = MUSTER_ALL_REDUCE;
  while (op < MUSTER_OP_END && name != muster_op_name(op)) ++op;
  if (op == MUSTER_OP_END) {
    plugin::fail(MUSTER_INVALID_ARGUMENT, "option fault_flip_op: no operation '" + name + "'",
                 "write one as in \"all_reduce\"");
  }
  if (group.option("fault_flip_rank") != std::to_string(rank_)) return;
  op_ = op;
  target_ = group.integer_option("fault_flip_call");
}

// The highest bit but one of the middle element: a change that no tolerance hides.
void Fault::flip(const muster_call& call) const {
  const Result result = result_of(call, rank_, size_);
  if (result.count == 0 || call.recv == nullptr) return;
  const uint64_t element =
      MUSTER_DTYPE_BYTES(call.recv_dtype != MUSTER_DTYPE_NONE ? call.recv_dtype : call.dtype);
  const uint64_t index = result.offset + result.count / 2;
  const uint64_t high = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 0 : element - 1;
  static_cast<unsigned char*>(call.recv)[index * element + high] ^= 0x40;
}

}  // namespace muster::shm
