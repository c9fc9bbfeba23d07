/* The vocabulary that crosses the boundary: numbers with names, never C enums.
 *
 * Every type is a uint32_t with named constants; a receiver must accept (and refuse politely)
 * values that it does not know. Zero is "none" wherever forgetting to set the field would be a
 * mistake. Values are pinned by tests/abi and are never reused. */
#ifndef MUSTER_TYPES_H
#define MUSTER_TYPES_H

#include "muster/base.h"

/* Element types. 16-bit floats are passed as their bit patterns. As ncclDataType_t / MPI_Datatype.
 */
typedef uint32_t muster_dtype;
enum {
  MUSTER_DTYPE_NONE = 0, /* operations without data: barrier */
  MUSTER_I8 = 1,
  MUSTER_U8 = 2,
  MUSTER_I16 = 3,
  MUSTER_U16 = 4,
  MUSTER_I32 = 5,
  MUSTER_U32 = 6,
  MUSTER_I64 = 7,
  MUSTER_U64 = 8,
  MUSTER_BOOL = 9, /* one byte, 0 or 1 */
  MUSTER_F16 = 10,
  MUSTER_BF16 = 11,
  MUSTER_F32 = 12,
  MUSTER_F64 = 13,
  MUSTER_F8E4M3 = 14,
  MUSTER_F8E5M2 = 15,
  MUSTER_DTYPE_END = 16 /* one past the last; not a value */
};

/* Bytes per element, 0 outside the vocabulary; a constant expression of a constant. One nibble per
 * dtype: a shift is cheaper on the path of a call than a table. */
#define MUSTER_DTYPE_BYTES(dtype) \
  ((dtype) < MUSTER_DTYPE_END ? (UINT64_C(0x1184221884422110) >> ((dtype)*4)) & 15 : 0)
static inline uint64_t muster_dtype_size(muster_dtype dtype) { return MUSTER_DTYPE_BYTES(dtype); }

/* Reduce operations. As ncclRedOp_t / MPI_Op.
 * avg divides the sum by the group's size; of integers it truncates toward zero after a wrapping
 * sum. Integer sum and prod wrap. min and max propagate NaN. Bitwise and logical ones are for
 * integers and bool; logical ones give 0 or 1. 16-bit floats accumulate in f32 and are rounded
 * once. */
typedef uint32_t muster_redop;
enum {
  MUSTER_REDOP_NONE = 0, /* operations that do not reduce */
  MUSTER_SUM = 1,
  MUSTER_PROD = 2,
  MUSTER_MIN = 3,
  MUSTER_MAX = 4,
  MUSTER_AVG = 5,
  MUSTER_BAND = 6,
  MUSTER_BOR = 7,
  MUSTER_BXOR = 8,
  MUSTER_LAND = 9,
  MUSTER_LOR = 10,
  MUSTER_LXOR = 11,
  MUSTER_REDOP_END = 12
};

/* Operations. The comment gives what count means and the equivalent in NCCL or MPI; n is the
 * group's size. */
typedef uint32_t muster_op;
enum {
  MUSTER_OP_NONE = 0,
  MUSTER_ALL_REDUCE = 1,      /* count elements in, count out on all. ncclAllReduce */
  MUSTER_REDUCE = 2,          /* count in, count out on root. ncclReduce */
  MUSTER_REDUCE_SCATTER = 3,  /* count is per rank: n*count in, count out. ncclReduceScatter */
  MUSTER_REDUCE_SCATTERV = 4, /* sum of recv_counts in, recv_counts[rank] out; the whole vector on
                                 all. MPI_Reduce_scatter */
  MUSTER_FUSED_ALL_REDUCE_RMSNORM =
      5,                 /* all_reduce, then residual add and RMSNorm; see muster_fused_rmsnorm */
  MUSTER_BROADCAST = 6,  /* count from root to all. ncclBroadcast */
  MUSTER_ALL_GATHER = 7, /* count is per rank: count in, n*count out. ncclAllGather */
  MUSTER_ALL_GATHERV =
      8, /* recv_counts[rank] in, all of recv_counts out; the whole vector on all. MPI_Allgatherv */
  MUSTER_GATHER = 9,   /* count in per rank, n*count out on root. ncclGather */
  MUSTER_GATHERV = 10, /* count in, recv_counts at recv_displs out on root. MPI_Gatherv */
  MUSTER_SCATTER = 11, /* n*count in on root, count out per rank. ncclScatter */
  MUSTER_SCATTERV =
      12, /* send_counts at send_displs in on root, count out per rank. MPI_Scatterv */
  MUSTER_ALL_TO_ALL = 13,  /* count is per pair: n*count in, n*count out. ncclAlltoAll */
  MUSTER_ALL_TO_ALLV = 14, /* send_counts in, recv_counts out, with displacements. MPI_Alltoallv */
  MUSTER_SEND = 15,        /* count to peer. ncclSend */
  MUSTER_RECV = 16,        /* count from peer. ncclRecv */
  MUSTER_SEND_RECV =
      17, /* count to peer, recv_count from recv_peer, without deadlock. MPI_Sendrecv */
  MUSTER_BARRIER = 18, /* MPI_Barrier */
  MUSTER_OP_END = 19
};

/* Where a buffer lives. Stated by the caller (per group, or per call), never guessed on the path of
 * a call. */
typedef uint32_t muster_memory;
enum {
  MUSTER_MEMORY_DEFAULT = 0, /* in a call: the group's */
  MUSTER_HOST = 1,
  MUSTER_CUDA = 2,
  MUSTER_HIP = 3,
  MUSTER_LEVEL_ZERO = 4,
  MUSTER_GAUDI = 5,
  MUSTER_ASCEND = 6,
  MUSTER_MUSA = 7,
  MUSTER_MLU = 8,
  MUSTER_MEMORY_END = 9
};

/* Graph phase. Warm-up and capture form one class for selection: one decision serves both. */
typedef uint32_t muster_phase;
enum {
  MUSTER_EAGER = 0,
  MUSTER_GRAPH_WARMUP = 1,
  MUSTER_GRAPH_CAPTURE = 2,
  MUSTER_GRAPH_PIECEWISE =
      3, /* between captured pieces: executes eagerly inside a capture context */
  MUSTER_PHASE_END = 4
};

/* What a result depends on. A rule states the strongest class that it keeps; each class includes
 * those before it. */
typedef uint32_t muster_determinism;
enum {
  MUSTER_NONDETERMINISTIC = 0,
  MUSTER_RUN_TO_RUN = 1,     /* same inputs, same group: same bits */
  MUSTER_RANK_INVARIANT = 2, /* and every rank gets the same bits, whichever element it owns */
  MUSTER_SIZE_INVARIANT = 3, /* and an element's bits do not depend on its position or on count */
  MUSTER_DETERMINISM_END = 4
};

/* What kind of ordering handle a call carries. */
typedef uint32_t muster_stream_kind;
enum {
  MUSTER_STREAM_NONE = 0, /* host call: returns when the caller's buffers are done */
  MUSTER_STREAM_CUDA = 1,
  MUSTER_STREAM_HIP = 2,
  MUSTER_STREAM_SYCL = 3,
  MUSTER_STREAM_SYNAPSE = 4,
  MUSTER_STREAM_ACL = 5,
  MUSTER_STREAM_MUSA = 6,
  MUSTER_STREAM_CNRT = 7,
  MUSTER_STREAM_KIND_END = 8
};

/* A stream of one device. handle is the vendor's stream handle, as an integer or pointer value. */
typedef struct muster_stream {
  muster_stream_kind kind;
  uint32_t device;
  uint64_t handle;
} muster_stream;

/* Log levels. */
typedef uint32_t muster_log_level;
enum {
  MUSTER_LOG_TRACE = 0,
  MUSTER_LOG_DEBUG = 1,
  MUSTER_LOG_INFO = 2,
  MUSTER_LOG_WARN = 3,
  MUSTER_LOG_ERROR = 4,
  MUSTER_LOG_OFF = 5 /* no line has it */
};

#endif
