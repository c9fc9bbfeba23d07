#include "tests/ranks/runner.hpp"

namespace muster::ranks {

Said call_function(muster_group* group, const muster_call& c) {
  muster_call_options options = {};
  options.struct_size = MUSTER_CALL_OPTIONS_SIZE;
  options.flags = c.flags;
  options.max_bytes = c.max_bytes;
  options.scalar = c.scalar;
  switch (c.op) {
    case MUSTER_ALL_REDUCE:
      return muster_all_reduce(group, c.send, c.recv, c.count, c.dtype, c.redop, &options);
    case MUSTER_REDUCE:
      return muster_reduce(group, c.send, c.recv, c.count, c.dtype, c.redop, c.root, &options);
    case MUSTER_REDUCE_SCATTER:
      return muster_reduce_scatter(group, c.send, c.recv, c.count, c.dtype, c.redop, &options);
    case MUSTER_REDUCE_SCATTERV:
      return muster_reduce_scatterv(group, c.send, c.recv, c.recv_counts, c.dtype, c.redop,
                                    &options);
    case MUSTER_FUSED_ALL_REDUCE_RMSNORM:
      return muster_fused_all_reduce_rmsnorm(group, c.send, c.recv, c.count, c.dtype, c.fused,
                                             &options);
    case MUSTER_BROADCAST:
      return muster_broadcast(group, c.send, c.recv, c.count, c.dtype, c.root, nullptr);
    case MUSTER_ALL_GATHER:
      return muster_all_gather(group, c.send, c.recv, c.count, c.dtype, nullptr);
    case MUSTER_ALL_GATHERV:
      return muster_all_gatherv(group, c.send, c.recv, c.recv_counts, c.recv_displs, c.dtype,
                                nullptr);
    case MUSTER_GATHER:
      return muster_gather(group, c.send, c.recv, c.count, c.dtype, c.root, nullptr);
    case MUSTER_GATHERV:
      return muster_gatherv(group, c.send, c.count, c.recv, c.recv_counts, c.recv_displs, c.dtype,
                            c.root, &options);
    case MUSTER_SCATTER:
      return muster_scatter(group, c.send, c.recv, c.count, c.dtype, c.root, nullptr);
    case MUSTER_SCATTERV:
      return muster_scatterv(group, c.send, c.send_counts, c.send_displs, c.recv, c.count, c.dtype,
                             c.root, &options);
    case MUSTER_ALL_TO_ALL:
      return muster_all_to_all(group, c.send, c.recv, c.count, c.dtype, nullptr);
    case MUSTER_ALL_TO_ALLV:
      return muster_all_to_allv(group, c.send, c.send_counts, c.send_displs, c.recv, c.recv_counts,
                                c.recv_displs, c.dtype, &options);
    case MUSTER_SEND:
      return muster_send(group, c.send, c.count, c.dtype, c.peer, nullptr);
    case MUSTER_RECV:
      return muster_recv(group, c.recv, c.count, c.dtype, c.peer, nullptr);
    case MUSTER_SEND_RECV:
      return muster_send_recv(group, c.send, c.count, c.peer, c.recv, c.recv_count, c.recv_peer,
                              c.dtype, nullptr);
    default:
      return muster_barrier(group);
  }
}

}  // namespace muster::ranks
