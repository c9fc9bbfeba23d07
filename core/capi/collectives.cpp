// muster.h: the collectives. Each fills a record on the stack and takes the path of dispatch.hpp.
#include "core/capi/boundary.hpp"
#include "core/dispatch/dispatch.hpp"
#include "muster/muster.h"

namespace {

using muster::checked_run;

// Fills what every operation has; NULL options are the common case.
inline __attribute__((always_inline)) muster_call make_call(muster_op op, muster_dtype dtype,
                                                            const void* send, void* recv,
                                                            uint64_t count,
                                                            const muster_call_options* options) {
  // Field by field: of `{}` the compiler makes a string instruction, which costs more than
  // everything after it.
  muster_call call;
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = op;
  call.dtype = dtype;
  call.recv_dtype = MUSTER_DTYPE_NONE;
  call.redop = MUSTER_REDOP_NONE;
  call.root = call.peer = call.recv_peer = 0;
  call.send_memory = call.recv_memory = MUSTER_MEMORY_DEFAULT;
  call.phase = MUSTER_EAGER;
  call.flags = 0;
  call.send = send;
  call.recv = recv;
  call.count = count;
  call.recv_count = 0;
  call.send_counts = call.send_displs = call.recv_counts = call.recv_displs = nullptr;
  call.max_bytes = call.selection_bytes = 0;
  call.scalar = nullptr;
  call.fused = nullptr;
  call.stream = {MUSTER_STREAM_NONE, 0, 0};
  if (options != nullptr) [[unlikely]] {
    call.flags = options->flags;
    call.send_memory = options->send_memory;
    call.recv_memory = options->recv_memory;
    call.stream = options->stream;
    call.max_bytes = options->max_bytes;
    call.scalar = options->scalar;
  }
  return call;
}

[[gnu::cold, gnu::noinline]] muster_status* no_group(const char* function) {
  return muster::null_argument(function, "group").release();
}

}  // namespace

#define MUSTER_CHECK_GROUP(group)      \
  if ((group) == nullptr) [[unlikely]] \
  return no_group(__func__)

muster_status* muster_all_reduce(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, muster_redop redop,
                                 const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_ALL_REDUCE, dtype, send, recv, count, options);
  call.redop = redop;
  return checked_run<MUSTER_ALL_REDUCE>(*group, call);
}

muster_status* muster_reduce(muster_group* group, const void* send, void* recv, uint64_t count,
                             muster_dtype dtype, muster_redop redop, uint32_t root,
                             const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_REDUCE, dtype, send, recv, count, options);
  call.redop = redop;
  call.root = root;
  return checked_run<MUSTER_REDUCE>(*group, call);
}

muster_status* muster_reduce_scatter(muster_group* group, const void* send, void* recv,
                                     uint64_t count, muster_dtype dtype, muster_redop redop,
                                     const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_REDUCE_SCATTER, dtype, send, recv, count, options);
  call.redop = redop;
  return checked_run<MUSTER_REDUCE_SCATTER>(*group, call);
}

muster_status* muster_reduce_scatterv(muster_group* group, const void* send, void* recv,
                                      const uint64_t* counts, muster_dtype dtype,
                                      muster_redop redop, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_REDUCE_SCATTERV, dtype, send, recv, 0, options);
  call.redop = redop;
  call.recv_counts = counts;
  return checked_run<MUSTER_REDUCE_SCATTERV>(*group, call);
}

muster_status* muster_fused_all_reduce_rmsnorm(muster_group* group, const void* send, void* recv,
                                               uint64_t count, muster_dtype dtype,
                                               const muster_fused_rmsnorm* fused,
                                               const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_FUSED_ALL_REDUCE_RMSNORM, dtype, send, recv, count, options);
  call.redop = MUSTER_SUM;
  call.fused = fused;
  return checked_run<MUSTER_FUSED_ALL_REDUCE_RMSNORM>(*group, call);
}

muster_status* muster_broadcast(muster_group* group, const void* send, void* recv, uint64_t count,
                                muster_dtype dtype, uint32_t root,
                                const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_BROADCAST, dtype, send, recv, count, options);
  call.root = root;
  return checked_run<MUSTER_BROADCAST>(*group, call);
}

muster_status* muster_all_gather(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_ALL_GATHER, dtype, send, recv, count, options);
  return checked_run<MUSTER_ALL_GATHER>(*group, call);
}

muster_status* muster_all_gatherv(muster_group* group, const void* send, void* recv,
                                  const uint64_t* counts, const uint64_t* displs,
                                  muster_dtype dtype, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_ALL_GATHERV, dtype, send, recv, 0, options);
  call.recv_counts = counts;
  call.recv_displs = displs;
  return checked_run<MUSTER_ALL_GATHERV>(*group, call);
}

muster_status* muster_gather(muster_group* group, const void* send, void* recv, uint64_t count,
                             muster_dtype dtype, uint32_t root,
                             const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_GATHER, dtype, send, recv, count, options);
  call.root = root;
  return checked_run<MUSTER_GATHER>(*group, call);
}

muster_status* muster_gatherv(muster_group* group, const void* send, uint64_t count, void* recv,
                              const uint64_t* recv_counts, const uint64_t* recv_displs,
                              muster_dtype dtype, uint32_t root,
                              const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_GATHERV, dtype, send, recv, count, options);
  call.root = root;
  call.recv_counts = recv_counts;
  call.recv_displs = recv_displs;
  return checked_run<MUSTER_GATHERV>(*group, call);
}

muster_status* muster_scatter(muster_group* group, const void* send, void* recv, uint64_t count,
                              muster_dtype dtype, uint32_t root,
                              const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_SCATTER, dtype, send, recv, count, options);
  call.root = root;
  return checked_run<MUSTER_SCATTER>(*group, call);
}

muster_status* muster_scatterv(muster_group* group, const void* send, const uint64_t* send_counts,
                               const uint64_t* send_displs, void* recv, uint64_t count,
                               muster_dtype dtype, uint32_t root,
                               const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_SCATTERV, dtype, send, recv, count, options);
  call.root = root;
  call.send_counts = send_counts;
  call.send_displs = send_displs;
  return checked_run<MUSTER_SCATTERV>(*group, call);
}

muster_status* muster_all_to_all(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_ALL_TO_ALL, dtype, send, recv, count, options);
  return checked_run<MUSTER_ALL_TO_ALL>(*group, call);
}

muster_status* muster_all_to_allv(muster_group* group, const void* send,
                                  const uint64_t* send_counts, const uint64_t* send_displs,
                                  void* recv, const uint64_t* recv_counts,
                                  const uint64_t* recv_displs, muster_dtype dtype,
                                  const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_ALL_TO_ALLV, dtype, send, recv, 0, options);
  call.send_counts = send_counts;
  call.send_displs = send_displs;
  call.recv_counts = recv_counts;
  call.recv_displs = recv_displs;
  return checked_run<MUSTER_ALL_TO_ALLV>(*group, call);
}

muster_status* muster_send(muster_group* group, const void* send, uint64_t count,
                           muster_dtype dtype, uint32_t peer, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_SEND, dtype, send, nullptr, count, options);
  call.peer = peer;
  return checked_run<MUSTER_SEND>(*group, call);
}

muster_status* muster_recv(muster_group* group, void* recv, uint64_t count, muster_dtype dtype,
                           uint32_t peer, const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_RECV, dtype, nullptr, recv, count, options);
  call.peer = peer;
  return checked_run<MUSTER_RECV>(*group, call);
}

muster_status* muster_send_recv(muster_group* group, const void* send, uint64_t send_count,
                                uint32_t send_peer, void* recv, uint64_t recv_count,
                                uint32_t recv_peer, muster_dtype dtype,
                                const muster_call_options* options) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_SEND_RECV, dtype, send, recv, send_count, options);
  call.peer = send_peer;
  call.recv_peer = recv_peer;
  call.recv_count = recv_count;
  return checked_run<MUSTER_SEND_RECV>(*group, call);
}

muster_status* muster_barrier(muster_group* group) {
  MUSTER_CHECK_GROUP(group);
  muster_call call = make_call(MUSTER_BARRIER, MUSTER_DTYPE_NONE, nullptr, nullptr, 0, nullptr);
  call.send_memory = call.recv_memory = MUSTER_HOST;
  return checked_run<MUSTER_BARRIER>(*group, call);
}
