#include "plugins/backends/cuda_peer/telling.hpp"

#include "muster/names.h"

namespace muster::cuda_peer {
namespace {

constexpr uint64_t kPacket = 16;

// Bytes of send and recv in terms of the call's.
uint64_t send_bytes(const muster_call& call, uint64_t bytes, uint32_t ranks) {
  const bool all = call.op == MUSTER_REDUCE_SCATTER || call.op == MUSTER_ALL_TO_ALL;
  return all ? bytes * ranks : bytes;
}
uint64_t recv_bytes(const muster_call& call, uint64_t bytes, uint32_t ranks) {
  const bool all = call.op == MUSTER_ALL_GATHER || call.op == MUSTER_ALL_TO_ALL;
  return all ? bytes * ranks : bytes;
}

}  // namespace

bool is_pullable(muster_op op, uint64_t bytes) {
  const bool pieces = op == MUSTER_REDUCE_SCATTER || op == MUSTER_ALL_TO_ALL;
  return !pieces || bytes % kPacket == 0;
}

Telling telling_of(Kernel kernel, const muster_call& call, uint32_t rank, uint32_t ranks) {
  const uint64_t bytes = call.count * muster_dtype_size(call.dtype);
  Telling telling;
  telling.possible = true;
  switch (kernel) {
    case Kernel::kAllReducePull:
    case Kernel::kReduceScatterPull:
    case Kernel::kAllGatherPull:
    case Kernel::kAllToAllPull:
    case Kernel::kBroadcastPull:
      telling.needed = call.op != MUSTER_BROADCAST || call.root == rank;
      telling.reach = Telling::Reach::kRead;
      telling.buffer = call.send;
      telling.bytes = send_bytes(call, bytes, ranks);
      return telling;
    case Kernel::kAllReduceStaged:
    case Kernel::kAllGatherStaged:
    case Kernel::kAllToAllStaged:
    case Kernel::kBroadcastStaged:
      telling.reach = Telling::Reach::kStore;
      telling.needed = call.op != MUSTER_BROADCAST || call.root != rank;
      // In place an operand of all_to_all would be overwritten before it was sent; pieces of
      // gathered ones must lie at multiples of a packet.
      telling.possible = call.op == MUSTER_ALL_REDUCE || call.op == MUSTER_BROADCAST ||
                         (bytes % kPacket == 0 && call.send != call.recv);
      telling.buffer = telling.needed ? call.recv : call.send;
      telling.bytes = recv_bytes(call, bytes, ranks);
      return telling;
    default:
      return telling;
  }
}

}  // namespace muster::cuda_peer
