/* The record of one collective or point-to-point call: what a program asks for, what dispatch looks
 * up, and what a backend executes. The same struct on all three sides, so nothing is translated on
 * the way.
 *
 * Shapes: counts are elements of `dtype`; what `count` means per operation stands at the constants
 * of types.h. In place, as in NCCL: all_reduce, reduce, broadcast, fused: send == recv; all_gather:
 * send == recv + rank*count; gather (root), scatter (root: recv == send + rank*count),
 * reduce_scatter: recv == send + rank*count; the v-variants likewise with their displacement;
 * all_to_all(v): send == recv. Any other overlap is an error (found in checked mode). A zero count
 * is a valid call that still takes part (it orders, it does not move data). Ownership: everything
 * pointed to is the caller's, and stays valid and unchanged until the call has completed. */
#ifndef MUSTER_CALL_H
#define MUSTER_CALL_H

#include "muster/types.h"

/* Operands of MUSTER_FUSED_ALL_REDUCE_RMSNORM, of f16, bf16 or f32. With x = all_reduce(send, sum),
 * rows of `hidden` elements: r = x + residual; residual_out = r; recv = r / sqrt(mean(r*r) +
 * epsilon) * weight. count of the call is rows*hidden.
 *
 * Rounding: x is rounded to dtype, as all_reduce leaves it; from there on everything is f32, and
 * each output is rounded once. What a device's fused form may leave out is the rounding of x; the
 * composed form and the host backends of muster give the same bits.
 *
 * Quantised (quant_group > 0, which divides hidden; 128 is usual): recv is f8e4m3, one byte per
 * element, and scale_out takes one f32 per quant_group elements of a row, count / quant_group in
 * all: value is about recv * scale. What is quantised is the f32 value, not rounded to dtype in
 * between; family host_rmsnorm_quant/1 of kernels.h says the rest, for every backend.
 *
 * hidden, quant_group, epsilon, the contents of residual and weight, and which of residual and
 * residual_out are NULL are the same on all ranks: a rank may get rows that another one has
 * normalised. Overlap: send and recv may be the same (not quantised), residual and residual_out may
 * be the same; no output overlaps anything else. */
typedef struct muster_fused_rmsnorm {
  uint32_t struct_size;
  uint32_t quant_group; /* 0: recv is of the call's dtype */
  uint64_t hidden;      /* > 0, divides count */
  const void* residual; /* count elements; NULL: zero */
  void* residual_out;   /* count elements; NULL: not wanted */
  const void* weight;   /* hidden elements */
  float* scale_out;     /* quantised only */
  double epsilon;       /* finite, not negative */
} muster_fused_rmsnorm;
#define MUSTER_FUSED_RMSNORM_SIZE MUSTER_STRUCT_SIZE(muster_fused_rmsnorm, epsilon)
MUSTER_ASSERT_STRUCT_SIZE(muster_fused_rmsnorm, MUSTER_FUSED_RMSNORM_SIZE);

/* muster_call.flags: promises and marks. A runtime ignores one that it does not know; what must not
 * be ignored comes as a field, an operation or a function. */
enum {
  /* Set by the runtime: the call is in place (see above). Part of the selection key. */
  MUSTER_CALL_IN_PLACE = 1u << 0,
  /* Set by the caller, on all ranks or on none: a promise that on every rank what the call reads
   * of send and writes to recv lies in memory of the group (muster_mem_alloc,
   * muster_mem_register), each in one piece, not necessarily at equal offsets. Rules that ask for
   * symmetric memory match only such calls; others use such memory without the flag too. Checked
   * groups hold the caller to it; elsewhere a broken promise is undefined behaviour. */
  MUSTER_CALL_SYMMETRIC = 1u << 1,
  /* Set by the runtime: recv is quantised (fused, quant_group > 0). Part of the selection key. */
  MUSTER_CALL_QUANTISED = 1u << 2
};

/* A field of a later header must be zero, or a runtime that does not know it refuses the call. */
typedef struct muster_call {
  uint32_t struct_size;
  muster_op op;
  muster_dtype dtype; /* of send, and of recv unless recv_dtype says else */
  muster_dtype
      recv_dtype; /* 0: as dtype. Quantised fused calls: f8e4m3, filled in by the runtime */
  muster_redop redop;
  uint32_t root;             /* group rank, of rooted operations */
  uint32_t peer;             /* group rank: destination of send and send_recv, source of recv */
  uint32_t recv_peer;        /* group rank: source of send_recv */
  muster_memory send_memory; /* 0: the group's */
  muster_memory recv_memory; /* 0: the group's */
  muster_phase phase;        /* set by the runtime from muster_graph_begin */
  uint32_t flags;            /* MUSTER_CALL_... */
  const void* send;
  void* recv;
  uint64_t count;
  uint64_t recv_count;         /* send_recv: elements to receive */
  const uint64_t* send_counts; /* n entries: scatterv (root), all_to_allv */
  const uint64_t* send_displs; /* n entries, elements; NULL: packed in rank order */
  const uint64_t*
      recv_counts; /* n entries: all_gatherv, gatherv (root), reduce_scatterv, all_to_allv */
  /* n entries, elements; NULL: packed in rank order, as reduce_scatterv always is */
  const uint64_t* recv_displs;
  uint64_t max_bytes; /* gatherv, scatterv, all_to_allv: a bound equal on all ranks, for selection;
                         0: unsized */
  uint64_t selection_bytes; /* set by the runtime: what the size bands compare */
  const void* scalar; /* sum only: every input is multiplied by *scalar (one `dtype`) first; NULL:
                       * by 1. The same presence on all ranks. As ncclRedOpCreatePreMulSum. */
  const muster_fused_rmsnorm* fused;
  muster_stream stream;
} muster_call;
#define MUSTER_CALL_SIZE MUSTER_STRUCT_SIZE(muster_call, stream)
MUSTER_ASSERT_STRUCT_SIZE(muster_call, MUSTER_CALL_SIZE);

#endif
