/* The program's API of muster: collective communication served by whichever backend plugin is best
 * for a call.
 *
 *  - Simple: muster_init, muster_group_create, muster_all_reduce ... muster_group_destroy,
 *    muster_finalize.
 *  - Explicit: a muster_call of muster_call_init, then muster_execute, muster_start, muster_batch
 *    or muster_plan_create.
 *  - Insight: muster_group_explain, muster_group_backend, muster_group_counters,
 *    muster_set_log_sink.
 *  - Further headers: tensors.h (along a dimension, dictionaries, bytes), parallel.h (roles),
 * plan.h (replay of a plan without a call into the library).
 *
 * Conventions
 *  - A function that can fail returns NULL for ok or an owned status (muster_status_release).
 *    Out-parameters are untouched on failure.
 *  - Counts are elements, per rank as in NCCL; root and peer are ranks of the group; sizes are
 *    bytes where the name says so.
 *  - Thread rule: different groups may be used at the same time; one group is used by one thread
 *    at a time, except where a function says [any-thread]. [collective] functions are called by
 *    every rank of the group, in the same order.
 *  - Nothing waits for ever: every wait ends at the group's timeout ([group] timeout_ms), or when
 *    a peer dies.
 *  - No exception leaves a function, nothing is written to stdout or stderr except by the default
 *    log sink (stderr).
 *
 * Build: C11 or C++17; link libmuster (CMake muster::core, pkg-config muster). */
#ifndef MUSTER_MUSTER_H
#define MUSTER_MUSTER_H

#include "muster/base.h"
#include "muster/bootstrap.h"
#include "muster/call.h"
#include "muster/entry.h"
#include "muster/names.h"
#include "muster/status.h"
#include "muster/types.h"

MUSTER_EXTERN_C_BEGIN

/* One rank's runtime: its plugins, its configuration, its place in the world. Any number per
 * process. */
typedef struct muster_runtime muster_runtime;
/* An ordered set of ranks and the chain of backends that serves it. Equivalent to MPI_Comm,
 * ncclComm_t. */
typedef struct muster_group muster_group;
/* A started call. Equivalent to MPI_Request, c10d Work. */
typedef struct muster_work muster_work;
/* A frozen call, buffers included. Equivalent to a persistent MPI request, ucc persistent
 * collectives. */
typedef struct muster_plan muster_plan;
/* N ranks as threads of this process. */
typedef struct muster_threads muster_threads;

/* ---- status ---- */

/* MUSTER_OK for NULL. [any-thread] */
MUSTER_API muster_code muster_status_code(const muster_status* status);
/* Cause, remedy (or ""), and the whole as one text; "" for NULL. Valid as long as the status.
 * [any-thread] */
MUSTER_API const char* muster_status_cause(const muster_status* status);
MUSTER_API const char* muster_status_remedy(const muster_status* status);
MUSTER_API const char* muster_status_message(const muster_status* status);
/* Takes NULL. [any-thread] */
MUSTER_API void muster_status_release(MUSTER_OWN muster_status* status);

/* ---- process-wide ---- */

/* The runtime's version: the ABI's and a patch number, "0.9.0". [any-thread] */
MUSTER_API const char* muster_version(void);
/* Replaces the log sink of the process (default: stderr); NULL sink: silence. [any-thread] */
typedef void (*muster_log_sink)(void* context, muster_log_level level, const char* line);
MUSTER_API void muster_set_log_sink(muster_log_sink sink, void* context);

/* ---- worlds and runtimes ---- */

/* A world of `size` ranks as threads of this process; each thread calls muster_init with it and its
 * own rank. Release after every runtime of it was finalized. [any-thread] */
MUSTER_API MUSTER_OWN muster_status* muster_threads_create(uint32_t size,
                                                           MUSTER_OWN muster_threads** out);
/* Takes NULL. [any-thread] */
MUSTER_API void muster_threads_release(MUSTER_OWN muster_threads* threads);

/* Zero-initialise, then set struct_size = MUSTER_RUNTIME_OPTIONS_SIZE and what differs from the
 * defaults. Everything is borrowed until muster_init returns, builtin and bootstrap until
 * muster_finalize. */
typedef struct muster_runtime_options {
  uint32_t struct_size;
  uint32_t builtin_count;
  const muster_entry* const* builtin; /* plugins linked into the program; discovered like files */
  const char* config_file;            /* one more TOML file, after all others */
  const char* config_text; /* TOML text, after config_file; named "api" in errors and in explain */
  const muster_bootstrap*
      bootstrap; /* the program's own; NULL: muster run, an MPI launcher, or a world of one */
  struct muster_instance* bootstrap_instance; /* handed to the functions of bootstrap */
  muster_threads* threads;                    /* an in-process world; goes before bootstrap */
  uint32_t thread_rank;
  int32_t device_plus_one; /* the device that this rank is bound to, plus one; 0: none */
} muster_runtime_options;
#define MUSTER_RUNTIME_OPTIONS_SIZE MUSTER_STRUCT_SIZE(muster_runtime_options, device_plus_one)
MUSTER_ASSERT_STRUCT_SIZE(muster_runtime_options, MUSTER_RUNTIME_OPTIONS_SIZE);

/* Discovers the plugins, joins the world. options may be NULL. [collective over the world] */
MUSTER_API MUSTER_OWN muster_status* muster_init(const muster_runtime_options* options,
                                                 MUSTER_OWN muster_runtime** out);
/* Leaves the world; its groups must have been destroyed (a group left over is destroyed, with a
 * warning). Takes NULL. Does not wait for other ranks beyond a short bound. [local] */
MUSTER_API void muster_finalize(MUSTER_OWN muster_runtime* runtime);
/* [any-thread] */
MUSTER_API uint32_t muster_rank(const muster_runtime* runtime);
MUSTER_API uint32_t muster_size(const muster_runtime* runtime);
/* What "local", "threads", "mpi", "single" or the program's own connects the ranks. Valid as long
 * as the runtime. [any-thread] */
MUSTER_API const char* muster_bootstrap_name(const muster_runtime* runtime);
/* Called before a collective when a backend asks for the work that a lazy framework still holds
 * back. [any-thread] */
typedef void (*muster_flush)(void* context, muster_memory memory);
MUSTER_API MUSTER_OWN muster_status* muster_set_flush(muster_runtime* runtime, muster_flush flush,
                                                      void* context);
/* Every decision about plugins so far as JSON ("muster.list/1"). Release with muster_text_release.
 * [any-thread] */
MUSTER_API MUSTER_OWN muster_status* muster_runtime_describe(const muster_runtime* runtime,
                                                             MUSTER_OWN char** out_json);
/* Takes NULL. [any-thread] */
MUSTER_API void muster_text_release(MUSTER_OWN char* text);

/* ---- groups ---- */

/* Zero-initialise, set struct_size = MUSTER_GROUP_OPTIONS_SIZE. The same on all ranks, or creation
 * is refused with MISMATCH. */
typedef struct muster_group_options {
  uint32_t struct_size;
  muster_memory memory;           /* of calls that say MUSTER_MEMORY_DEFAULT; 0: host */
  muster_determinism determinism; /* rules below this class are not used */
  uint32_t checked; /* 1: every call is checked for overlap and for two threads at once, and
                       compared with the other ranks' before it runs */
  const char* name; /* for globs of the configuration, logs and explain; NULL: "group" */
} muster_group_options;
#define MUSTER_GROUP_OPTIONS_SIZE MUSTER_STRUCT_SIZE(muster_group_options, name)
MUSTER_ASSERT_STRUCT_SIZE(muster_group_options, MUSTER_GROUP_OPTIONS_SIZE);

/* Makes a group of `count` world ranks in this order; ranks NULL: the whole world. Called by
 * exactly the ranks in the list, which must hold the caller. Groups over common ranks are created
 * in the same order by them. As MPI_Comm_create_group. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_group_create(muster_runtime* runtime,
                                                         const muster_group_options* options,
                                                         const uint32_t* ranks, uint32_t count,
                                                         MUSTER_OWN muster_group** out);
/* Ends this rank's part. Takes NULL. FAILED_PRECONDITION, and the group untouched, while work or
 * plans of it are outstanding. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_group_destroy(MUSTER_OWN muster_group* group);
/* Makes every wait of this rank in this group end soon with ABORTED, for ever. [any-thread] */
MUSTER_API void muster_group_abort(muster_group* group);
/* [any-thread] */
MUSTER_API uint32_t muster_group_rank(const muster_group* group);
MUSTER_API uint32_t muster_group_size(const muster_group* group);
MUSTER_API const char* muster_group_name(const muster_group* group);
/* Makes sure that compositions find `bytes` of scratch of this memory kind (MUSTER_MEMORY_DEFAULT:
 * the group's) without growing it later. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_group_reserve(muster_group* group, muster_memory memory,
                                                          uint64_t bytes);

/* ---- memory ----
 * Calls on ordinary memory are always served. On memory that every rank of the group knows, a
 * backend may leave out copies (shm: host memory of muster_mem_alloc) or take calls that it else
 * could not (MUSTER_CALL_SYMMETRIC). Nothing else changes: a buffer may begin anywhere in it, on
 * any subset of the ranks, and calls need not say that they use it. */

/* `bytes` bytes of a memory kind (0: the group's) that every rank of the group knows, equal on all
 * ranks or MISMATCH. Host memory is zeroed, aligned to a page, and takes real memory when touched
 * first; a child of fork shares it. Zero bytes give NULL. Backends that can register it do, others
 * copy: muster_runtime_describe says which. It stays valid until freed; destroying the group frees
 * what is left over, with a warning. As MPI_Win_allocate_shared, ncclMemAlloc with
 * ncclCommRegister. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_mem_alloc(muster_group* group, uint64_t bytes,
                                                      muster_memory memory, MUSTER_OWN void** out);
/* Frees it on all ranks, once started calls of the group are done; no plan may use it any more.
 * Takes NULL, which concerns nobody else. In a broken group it waits for nobody, and the memory
 * ends with the group. As ncclMemFree. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_mem_free(muster_group* group, MUSTER_OWN void* pointer);
/* Makes memory of the program known on all ranks, of one size and kind (0: the group's). Which
 * backends could use it is recorded; none is no failure. A piece of memory is registered with a
 * group once; one that another group allocated may be, too. It must stay valid until it is
 * deregistered or the group is destroyed. As ncclCommRegister, MPI_Win_create. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_mem_register(muster_group* group, void* pointer,
                                                         uint64_t bytes, muster_memory memory);
/* The opposite, with the same pointer; otherwise as muster_mem_free. As ncclCommDeregister.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_mem_deregister(muster_group* group, void* pointer);

/* ---- collectives ----
 * Blocking for host memory; on a stream (options.stream) they enqueue and return. Calls of one
 * group do not overlap: where they are on different streams, the program makes each stream wait for
 * the one before. See types.h for what count means. */

/* What a call may say beyond its operands. NULL: the group's memory kind, no stream.
 * Zero-initialise, set struct_size. What later headers add here are hints, which an older runtime
 * ignores. */
typedef struct muster_call_options {
  uint32_t struct_size;
  uint32_t flags; /* MUSTER_CALL_SYMMETRIC */
  muster_memory send_memory;
  muster_memory recv_memory;
  muster_stream stream;
  uint64_t max_bytes; /* gatherv, scatterv, all_to_allv: see muster_call.max_bytes */
  const void* scalar; /* sum: see muster_call.scalar */
} muster_call_options;
#define MUSTER_CALL_OPTIONS_SIZE MUSTER_STRUCT_SIZE(muster_call_options, scalar)
MUSTER_ASSERT_STRUCT_SIZE(muster_call_options, MUSTER_CALL_OPTIONS_SIZE);

/* count in, count out on every rank. As ncclAllReduce, MPI_Allreduce. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_reduce(muster_group* group, const void* send,
                                                       void* recv, uint64_t count,
                                                       muster_dtype dtype, muster_redop redop,
                                                       const muster_call_options* options);
/* count in; count out on root (recv is ignored elsewhere). As ncclReduce. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_reduce(muster_group* group, const void* send,
                                                   void* recv, uint64_t count, muster_dtype dtype,
                                                   muster_redop redop, uint32_t root,
                                                   const muster_call_options* options);
/* count is per rank: size*count in, count out. As ncclReduceScatter. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_reduce_scatter(muster_group* group, const void* send,
                                                           void* recv, uint64_t count,
                                                           muster_dtype dtype, muster_redop redop,
                                                           const muster_call_options* options);
/* The sum of counts in (packed), counts[rank] out. As MPI_Reduce_scatter. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_reduce_scatterv(muster_group* group, const void* send,
                                                            void* recv, const uint64_t* counts,
                                                            muster_dtype dtype, muster_redop redop,
                                                            const muster_call_options* options);
/* all_reduce, residual add and RMSNorm in one call; see muster_fused_rmsnorm. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_fused_all_reduce_rmsnorm(
    muster_group* group, const void* send, void* recv, uint64_t count, muster_dtype dtype,
    const muster_fused_rmsnorm* fused, const muster_call_options* options);
/* count from root's send to every recv; send is ignored elsewhere. As ncclBroadcast. [collective]
 */
MUSTER_API MUSTER_OWN muster_status* muster_broadcast(muster_group* group, const void* send,
                                                      void* recv, uint64_t count,
                                                      muster_dtype dtype, uint32_t root,
                                                      const muster_call_options* options);
/* count is per rank: count in, size*count out. As ncclAllGather. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_gather(muster_group* group, const void* send,
                                                       void* recv, uint64_t count,
                                                       muster_dtype dtype,
                                                       const muster_call_options* options);
/* counts[rank] in; all counts out, at displs (NULL: packed). As MPI_Allgatherv. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_gatherv(muster_group* group, const void* send,
                                                        void* recv, const uint64_t* counts,
                                                        const uint64_t* displs, muster_dtype dtype,
                                                        const muster_call_options* options);
/* count in; size*count out on root. As ncclGather. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_gather(muster_group* group, const void* send,
                                                   void* recv, uint64_t count, muster_dtype dtype,
                                                   uint32_t root,
                                                   const muster_call_options* options);
/* count in; recv_counts at recv_displs out on root, where both are read. As MPI_Gatherv.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_gatherv(muster_group* group, const void* send,
                                                    uint64_t count, void* recv,
                                                    const uint64_t* recv_counts,
                                                    const uint64_t* recv_displs, muster_dtype dtype,
                                                    uint32_t root,
                                                    const muster_call_options* options);
/* size*count in on root; count out. As ncclScatter. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_scatter(muster_group* group, const void* send,
                                                    void* recv, uint64_t count, muster_dtype dtype,
                                                    uint32_t root,
                                                    const muster_call_options* options);
/* send_counts at send_displs in on root, where both are read; count out. As MPI_Scatterv.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_scatterv(muster_group* group, const void* send,
                                                     const uint64_t* send_counts,
                                                     const uint64_t* send_displs, void* recv,
                                                     uint64_t count, muster_dtype dtype,
                                                     uint32_t root,
                                                     const muster_call_options* options);
/* count is per pair: size*count in, size*count out. As ncclAlltoAll, MPI_Alltoall. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_to_all(muster_group* group, const void* send,
                                                       void* recv, uint64_t count,
                                                       muster_dtype dtype,
                                                       const muster_call_options* options);
/* As MPI_Alltoallv; displacements may be NULL (packed). [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_to_allv(
    muster_group* group, const void* send, const uint64_t* send_counts, const uint64_t* send_displs,
    void* recv, const uint64_t* recv_counts, const uint64_t* recv_displs, muster_dtype dtype,
    const muster_call_options* options);
/* Rank 0 to rank 0's peer and so on: matched by order per pair. May block until the receive is
 * there. As ncclSend. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_send(muster_group* group, const void* send,
                                                 uint64_t count, muster_dtype dtype, uint32_t peer,
                                                 const muster_call_options* options);
/* As ncclRecv. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_recv(muster_group* group, void* recv, uint64_t count,
                                                 muster_dtype dtype, uint32_t peer,
                                                 const muster_call_options* options);
/* A send and a receive at once, without deadlock. As MPI_Sendrecv. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_send_recv(muster_group* group, const void* send,
                                                      uint64_t send_count, uint32_t send_peer,
                                                      void* recv, uint64_t recv_count,
                                                      uint32_t recv_peer, muster_dtype dtype,
                                                      const muster_call_options* options);
/* No rank leaves before all have come. On the group's host channel (its chain for host memory)
 * whatever the group's memory kind is: on a device it would allocate there. As MPI_Barrier.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_barrier(muster_group* group);

/* ---- explicit calls ---- */

/* A call record with struct_size, op, dtype and everything else zero. [any-thread] */
static inline muster_call muster_call_init(muster_op op, muster_dtype dtype) {
#ifdef __cplusplus
  muster_call call = {};
#else
  muster_call call = {0};
#endif
  call.struct_size = MUSTER_CALL_SIZE;
  call.op = op;
  call.dtype = dtype;
  return call;
}

/* Runs a call and returns when it is done (host) or enqueued (stream). [collective, or local for
 * send/recv] */
MUSTER_API MUSTER_OWN muster_status* muster_execute(muster_group* group, const muster_call* call);
/* Starts a host call and returns; calls of a group run in the order in which they were started or
 * executed, and shared buffers stay the call's until it is done. The record is copied, the arrays
 * that it points to are not. As MPI_I... [collective, or local] */
MUSTER_API MUSTER_OWN muster_status* muster_start(muster_group* group, const muster_call* call,
                                                  MUSTER_OWN muster_work** out);
/* Sets *done; returns the call's failure once it is done. [group's thread] */
MUSTER_API MUSTER_OWN muster_status* muster_work_test(muster_work* work, uint32_t* done);
/* Waits until the call is done and returns its failure. [group's thread] */
MUSTER_API MUSTER_OWN muster_status* muster_work_wait(muster_work* work);
/* Takes NULL. Waits for a call that is not done. [group's thread] */
MUSTER_API void muster_work_release(MUSTER_OWN muster_work* work);
/* Runs calls as one: no order among them and no deadlock between their sends and receives. As
 * ncclGroupStart/End. [collective, or local] */
MUSTER_API MUSTER_OWN muster_status* muster_batch(muster_group* group, const muster_call* calls,
                                                  uint32_t count);
/* Freezes a call, buffers included; arrays that it points to are copied. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_plan_create(muster_group* group,
                                                        const muster_call* call,
                                                        MUSTER_OWN muster_plan** out);
/* Replays it. FAILED_PRECONDITION when the group's chain has changed since. plan.h has a form of it
 * that the compiler puts in place. [collective, or local] */
MUSTER_API MUSTER_OWN muster_status* muster_plan_run(muster_plan* plan);
/* Takes NULL. [local] */
MUSTER_API void muster_plan_release(MUSTER_OWN muster_plan* plan);

/* ---- graphs ---- */

/* The group's following calls belong to a graph phase. Where a backend cannot begin on one rank, no
 * rank begins: ABORTED on the others, and the group stays usable. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_graph_begin(muster_group* group, muster_phase phase);
/* Ends the phase; ok = 0 aborts it. The AND of all ranks' ok decides before any registration:
 * ABORTED on every rank when one of them aborted, and the group stays usable. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_graph_end(muster_group* group, uint32_t ok);

/* ---- insight ---- */

/* Who would serve the call, "shm" or "composed(mpi)"; valid as long as the group. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_group_backend(muster_group* group,
                                                          const muster_call* call,
                                                          const char** out_name);
/* Why: chain, chosen, left out and the reasons, from the table that dispatches. json = 0: text for
 * people. Release with muster_text_release. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_group_explain(muster_group* group,
                                                          const muster_call* call, uint32_t json,
                                                          MUSTER_OWN char** out_text);
/* Calls and bytes so far, per operation and backend; waits for started calls. [local] */
typedef void (*muster_counter_sink)(void* context, muster_op op, const char* backend,
                                    uint64_t calls, uint64_t bytes);
MUSTER_API MUSTER_OWN muster_status* muster_group_counters(muster_group* group,
                                                           muster_counter_sink sink, void* context);

MUSTER_EXTERN_C_END

#endif
