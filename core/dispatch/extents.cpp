#include "core/dispatch/extents.hpp"

#include "core/base/names.hpp"
#include "core/dispatch/prepare.hpp"

namespace muster {

Extents extents_of(const muster_call& call, uint32_t rank, uint32_t size) {
  const uint64_t element = dtype_size(call.dtype);
  const uint64_t part = call.count * element;
  const bool is_root = !op_is_rooted(call.op) || call.root == rank;
  const auto extent = [&](const uint64_t* counts, const uint64_t* displs) {
    uint64_t total = 0;
    uint64_t end = 0;
    return counts != nullptr && vector_extent(counts, displs, size, element, &total, &end) ? end
                                                                                           : 0;
  };
  switch (call.op) {
    case MUSTER_ALL_REDUCE:
      return {part, part};
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return {part, call.count * recv_element(call)};
    case MUSTER_REDUCE:
      return {part, is_root ? part : 0};
    case MUSTER_BROADCAST:
      return {is_root ? part : 0, part};
    case MUSTER_ALL_GATHER:
      return {part, part * size};
    case MUSTER_GATHER:
      return {part, is_root ? part * size : 0};
    case MUSTER_REDUCE_SCATTER:
      return {part * size, part};
    case MUSTER_SCATTER:
      return {is_root ? part * size : 0, part};
    case MUSTER_ALL_TO_ALL:
      return {part * size, part * size};
    case MUSTER_ALL_GATHERV:
      return {part, extent(call.recv_counts, call.recv_displs)};
    case MUSTER_REDUCE_SCATTERV:
      return {extent(call.recv_counts, nullptr), part};
    case MUSTER_GATHERV:
      return {part, is_root ? extent(call.recv_counts, call.recv_displs) : 0};
    case MUSTER_SCATTERV:
      return {is_root ? extent(call.send_counts, call.send_displs) : 0, part};
    case MUSTER_ALL_TO_ALLV:
      return {extent(call.send_counts, call.send_displs),
              extent(call.recv_counts, call.recv_displs)};
    case MUSTER_SEND:
      return {part, 0};
    case MUSTER_RECV:
      return {0, part};
    case MUSTER_SEND_RECV:
      return {part, call.recv_count * element};
    default:
      return {};
  }
}

}  // namespace muster
