// muster.h: the collectives. Each writes its operands into a record: the group's own where the call
// is a plain one (plain_call.hpp), else one on the stack that takes the path of dispatch.hpp.
#include <fmt/format.h>

#include "core/capi/boundary.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/plain_call.hpp"
#include "muster/muster.h"

namespace {

inline __attribute__((always_inline)) muster_call make_call(muster_op op,
                                                            const muster_call_options* options) {
  // Field by field: of `{}` the compiler makes a string instruction, which costs more than
  // everything after it.
  muster_call call;
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = op;
  call.dtype = call.recv_dtype = MUSTER_DTYPE_NONE;
  call.redop = MUSTER_REDOP_NONE;
  call.root = call.peer = call.recv_peer = 0;
  call.send_memory = call.recv_memory = MUSTER_MEMORY_DEFAULT;
  call.phase = MUSTER_EAGER;
  call.flags = 0;
  call.send = nullptr;
  call.recv = nullptr;
  call.count = call.recv_count = 0;
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

// What each function writes into a record: its operands, in the order of its parameters.
template <muster_op Op, auto... Fields>
struct Operands {
  static constexpr muster_op kOp = Op;
  template <typename... Values>
  static inline __attribute__((always_inline)) void write(muster_call& call, Values... values) {
    ((call.*Fields = values), ...);
  }
};

using AllReduce = Operands<MUSTER_ALL_REDUCE, &muster_call::send, &muster_call::recv,
                           &muster_call::count, &muster_call::dtype, &muster_call::redop>;
using Reduce = Operands<MUSTER_REDUCE, &muster_call::send, &muster_call::recv, &muster_call::count,
                        &muster_call::dtype, &muster_call::redop, &muster_call::root>;
using ReduceScatter = Operands<MUSTER_REDUCE_SCATTER, &muster_call::send, &muster_call::recv,
                               &muster_call::count, &muster_call::dtype, &muster_call::redop>;
using ReduceScatterv =
    Operands<MUSTER_REDUCE_SCATTERV, &muster_call::send, &muster_call::recv,
             &muster_call::recv_counts, &muster_call::dtype, &muster_call::redop>;
using Broadcast = Operands<MUSTER_BROADCAST, &muster_call::send, &muster_call::recv,
                           &muster_call::count, &muster_call::dtype, &muster_call::root>;
using AllGather = Operands<MUSTER_ALL_GATHER, &muster_call::send, &muster_call::recv,
                           &muster_call::count, &muster_call::dtype>;
using AllGatherv =
    Operands<MUSTER_ALL_GATHERV, &muster_call::send, &muster_call::recv, &muster_call::recv_counts,
             &muster_call::recv_displs, &muster_call::dtype>;
using Gather = Operands<MUSTER_GATHER, &muster_call::send, &muster_call::recv, &muster_call::count,
                        &muster_call::dtype, &muster_call::root>;
using Gatherv = Operands<MUSTER_GATHERV, &muster_call::send, &muster_call::count,
                         &muster_call::recv, &muster_call::recv_counts, &muster_call::recv_displs,
                         &muster_call::dtype, &muster_call::root>;
using Scatter = Operands<MUSTER_SCATTER, &muster_call::send, &muster_call::recv,
                         &muster_call::count, &muster_call::dtype, &muster_call::root>;
using Scatterv = Operands<MUSTER_SCATTERV, &muster_call::send, &muster_call::send_counts,
                          &muster_call::send_displs, &muster_call::recv, &muster_call::count,
                          &muster_call::dtype, &muster_call::root>;
using AllToAll = Operands<MUSTER_ALL_TO_ALL, &muster_call::send, &muster_call::recv,
                          &muster_call::count, &muster_call::dtype>;
using AllToAllv = Operands<MUSTER_ALL_TO_ALLV, &muster_call::send, &muster_call::send_counts,
                           &muster_call::send_displs, &muster_call::recv, &muster_call::recv_counts,
                           &muster_call::recv_displs, &muster_call::dtype>;
using Send = Operands<MUSTER_SEND, &muster_call::send, &muster_call::count, &muster_call::dtype,
                      &muster_call::peer>;
using Recv = Operands<MUSTER_RECV, &muster_call::recv, &muster_call::count, &muster_call::dtype,
                      &muster_call::peer>;
using SendRecv = Operands<MUSTER_SEND_RECV, &muster_call::send, &muster_call::count,
                          &muster_call::peer, &muster_call::recv, &muster_call::recv_count,
                          &muster_call::recv_peer, &muster_call::dtype>;
using Barrier = Operands<MUSTER_BARRIER>;
using FusedAllReduceRmsNorm =
    Operands<MUSTER_FUSED_ALL_REDUCE_RMSNORM, &muster_call::send, &muster_call::recv,
             &muster_call::count, &muster_call::dtype, &muster_call::redop, &muster_call::fused>;

// For every call, by a record on the stack.
template <typename Operation, typename... Values>
[[gnu::noinline]] muster_status* run_checked(muster_group& group,
                                             const muster_call_options* options,
                                             Values... operands) {
  constexpr muster_op kOp = Operation::kOp;
  muster_call call = make_call(kOp, options);
  if constexpr (kOp == MUSTER_BARRIER) call.send_memory = call.recv_memory = MUSTER_HOST;
  Operation::write(call, operands...);
  return muster::checked_run<kOp>(group, call);
}

// For calls that are not the plainest. Out of line, so that its stack and registers are no matter
// of those; with the parameters of the function itself, so that going there is a jump.
template <typename Operation, typename... Values>
[[gnu::noinline]] muster_status* run_any(muster_group* group, Values... operands,
                                         const muster_call_options* options) {
  constexpr muster_op kOp = Operation::kOp;
  if (group == nullptr) [[unlikely]] {
    const std::string function = fmt::format("muster_{}", muster::op_name(kOp));
    return muster::null_argument(function.c_str(), "group").release();
  }
  if constexpr (muster::op_has_plain_form(kOp) && kOp != MUSTER_BARRIER) {
    if (options != nullptr && group->attention.load(std::memory_order_relaxed) == 0) {
      const muster::plain::OnStream form{*options};
      if (form.is_all()) {
        return muster::run_plain<Operation>(
            *group, form, [&] { return run_checked<Operation>(*group, options, operands...); },
            operands...);
      }
    }
  }
  return run_checked<Operation>(*group, options, operands...);
}

template <typename Operation, typename... Values>
inline __attribute__((always_inline)) muster_status* run(muster_group* group,
                                                         const muster_call_options* options,
                                                         Values... operands) {
  const auto any = [&]() __attribute__((always_inline)) {
    return run_any<Operation, Values...>(group, operands..., options);
  };
  if constexpr (muster::op_has_plain_form(Operation::kOp)) {
    // One comparison for both: no options, no attention.
    if (group != nullptr && (reinterpret_cast<uintptr_t>(options) |
                             group->attention.load(std::memory_order_relaxed)) == 0) [[likely]] {
      return muster::run_plain<Operation>(*group, muster::plain::Bare(), any, operands...);
    }
  }
  return any();
}

}  // namespace

muster_status* muster_all_reduce(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, muster_redop redop,
                                 const muster_call_options* options) {
  return run<AllReduce>(group, options, send, recv, count, dtype, redop);
}

muster_status* muster_reduce(muster_group* group, const void* send, void* recv, uint64_t count,
                             muster_dtype dtype, muster_redop redop, uint32_t root,
                             const muster_call_options* options) {
  return run<Reduce>(group, options, send, recv, count, dtype, redop, root);
}

muster_status* muster_reduce_scatter(muster_group* group, const void* send, void* recv,
                                     uint64_t count, muster_dtype dtype, muster_redop redop,
                                     const muster_call_options* options) {
  return run<ReduceScatter>(group, options, send, recv, count, dtype, redop);
}

muster_status* muster_reduce_scatterv(muster_group* group, const void* send, void* recv,
                                      const uint64_t* counts, muster_dtype dtype,
                                      muster_redop redop, const muster_call_options* options) {
  return run<ReduceScatterv>(group, options, send, recv, counts, dtype, redop);
}

muster_status* muster_fused_all_reduce_rmsnorm(muster_group* group, const void* send, void* recv,
                                               uint64_t count, muster_dtype dtype,
                                               const muster_fused_rmsnorm* fused,
                                               const muster_call_options* options) {
  return run<FusedAllReduceRmsNorm>(group, options, send, recv, count, dtype,
                                    muster_redop{MUSTER_SUM}, fused);
}

muster_status* muster_broadcast(muster_group* group, const void* send, void* recv, uint64_t count,
                                muster_dtype dtype, uint32_t root,
                                const muster_call_options* options) {
  return run<Broadcast>(group, options, send, recv, count, dtype, root);
}

muster_status* muster_all_gather(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, const muster_call_options* options) {
  return run<AllGather>(group, options, send, recv, count, dtype);
}

muster_status* muster_all_gatherv(muster_group* group, const void* send, void* recv,
                                  const uint64_t* counts, const uint64_t* displs,
                                  muster_dtype dtype, const muster_call_options* options) {
  return run<AllGatherv>(group, options, send, recv, counts, displs, dtype);
}

muster_status* muster_gather(muster_group* group, const void* send, void* recv, uint64_t count,
                             muster_dtype dtype, uint32_t root,
                             const muster_call_options* options) {
  return run<Gather>(group, options, send, recv, count, dtype, root);
}

muster_status* muster_gatherv(muster_group* group, const void* send, uint64_t count, void* recv,
                              const uint64_t* recv_counts, const uint64_t* recv_displs,
                              muster_dtype dtype, uint32_t root,
                              const muster_call_options* options) {
  return run<Gatherv>(group, options, send, count, recv, recv_counts, recv_displs, dtype, root);
}

muster_status* muster_scatter(muster_group* group, const void* send, void* recv, uint64_t count,
                              muster_dtype dtype, uint32_t root,
                              const muster_call_options* options) {
  return run<Scatter>(group, options, send, recv, count, dtype, root);
}

muster_status* muster_scatterv(muster_group* group, const void* send, const uint64_t* send_counts,
                               const uint64_t* send_displs, void* recv, uint64_t count,
                               muster_dtype dtype, uint32_t root,
                               const muster_call_options* options) {
  return run<Scatterv>(group, options, send, send_counts, send_displs, recv, count, dtype, root);
}

muster_status* muster_all_to_all(muster_group* group, const void* send, void* recv, uint64_t count,
                                 muster_dtype dtype, const muster_call_options* options) {
  return run<AllToAll>(group, options, send, recv, count, dtype);
}

muster_status* muster_all_to_allv(muster_group* group, const void* send,
                                  const uint64_t* send_counts, const uint64_t* send_displs,
                                  void* recv, const uint64_t* recv_counts,
                                  const uint64_t* recv_displs, muster_dtype dtype,
                                  const muster_call_options* options) {
  return run<AllToAllv>(group, options, send, send_counts, send_displs, recv, recv_counts,
                        recv_displs, dtype);
}

muster_status* muster_send(muster_group* group, const void* send, uint64_t count,
                           muster_dtype dtype, uint32_t peer, const muster_call_options* options) {
  return run<Send>(group, options, send, count, dtype, peer);
}

muster_status* muster_recv(muster_group* group, void* recv, uint64_t count, muster_dtype dtype,
                           uint32_t peer, const muster_call_options* options) {
  return run<Recv>(group, options, recv, count, dtype, peer);
}

muster_status* muster_send_recv(muster_group* group, const void* send, uint64_t send_count,
                                uint32_t send_peer, void* recv, uint64_t recv_count,
                                uint32_t recv_peer, muster_dtype dtype,
                                const muster_call_options* options) {
  return run<SendRecv>(group, options, send, send_count, send_peer, recv, recv_count, recv_peer,
                       dtype);
}

muster_status* muster_barrier(muster_group* group) { return run<Barrier>(group, nullptr); }
