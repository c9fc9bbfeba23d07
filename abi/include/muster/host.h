/* What the runtime gives a plugin. Plugins never link libmuster and never look symbols up in the
 * process: everything arrives through this table.
 *
 * Thread classes, as law (used in every header of this folder):
 *   [any-thread]    may run at any time, on any thread, together with anything else
 *   [setup-thread]  never together with another [setup-thread] function of the same instance
 *   [group-serial]  never together with another [group-serial] function of the same group
 * Reach: [local] one rank alone; [collective] every rank of the group, in the same order.
 * Cost: [no-block] returns without waiting for another rank, a device or the disk; [capture-safe]
 * may run while a stream is being captured.
 *
 * Lifetime: the muster_host lives from open to close of the instance, a muster_host_group from
 * group_prepare to the return of group_destroy. As the environment of an IREE executable library,
 * sqlite3_api_routines. */
#ifndef MUSTER_HOST_H
#define MUSTER_HOST_H

#include "muster/base.h"
#include "muster/kernels.h"
#include "muster/status.h"
#include "muster/types.h"

typedef struct muster_host muster_host;
typedef struct muster_host_group muster_host_group; /* opaque */

/* Where one rank of a group lives. Equal on all ranks. */
typedef struct muster_rank_place {
  uint32_t world_rank;
  uint32_t node;    /* 0, 1, ... in order of first appearance in the world */
  uint32_t process; /* likewise; ranks that are threads of one process share it */
  int32_t device;   /* the device index that the program bound the rank to, -1: none */
} muster_rank_place;

/* A group as one rank sees it. Valid as long as its muster_host_group. */
typedef struct muster_group_info {
  uint32_t struct_size;
  uint32_t rank;
  uint32_t size;
  muster_determinism determinism; /* the least that every rule in use keeps */
  uint64_t tag;                   /* equal on all ranks, unique among the groups of the world */
  const char* name;               /* "world", "tp", ... */
  const char*
      bootstrap; /* what connects the ranks: "local", "threads", "mpi", "single", "custom" */
  const muster_rank_place* places; /* size entries */
} muster_group_info;
#define MUSTER_GROUP_INFO_SIZE MUSTER_STRUCT_SIZE(muster_group_info, places)
MUSTER_ASSERT_STRUCT_SIZE(muster_group_info, MUSTER_GROUP_INFO_SIZE);

/* A word that ranks wait on, in memory that they share. Zero it before use. `value` only grows
 * (64-bit epochs never wrap); it is written by one rank at a time. Access it with atomic operations
 * only. */
typedef struct muster_wait_word {
  uint64_t value;
  uint32_t waiters; /* how many sleep in the futex of value's low half */
  uint32_t reserved;
} muster_wait_word;

struct muster_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the runtime */

  /* Makes a status. code: MUSTER_...; cause and remedy are copied, remedy may be NULL. Never
   * returns NULL: out of memory gives a static status. [any-thread] [local] [no-block] */
  MUSTER_OWN muster_status* (*status_make)(const muster_host* host, muster_code code,
                                           const char* cause, const char* remedy);
  /* Reads a status: MUSTER_OK for NULL. [any-thread] [local] [no-block] */
  muster_code (*status_code)(const muster_status* status);
  /* The cause; "" for NULL. Valid as long as the status. [any-thread] [local] [no-block] */
  const char* (*status_cause)(const muster_status* status);
  /* Takes NULL. [any-thread] [local] [no-block] */
  void (*status_release)(MUSTER_OWN muster_status* status);

  /* One line for the log, prefixed with the plugin's id. [any-thread] [local] [no-block] */
  void (*log)(const muster_host* host, muster_log_level level, const char* line);
  /* A decision record: shown by `muster explain` and `muster list --failed`. [any-thread] [local]
   * [no-block] */
  void (*record)(const muster_host* host, const char* subject, const char* verdict,
                 const char* reason);
  /* The value of an option of this backend for the whole runtime (declared in
   * muster_backend.options), as text; the declared default when not configured; NULL when not
   * declared. Valid until close. [any-thread] [local] [no-block] */
  const char* (*option)(const muster_host* host, const char* key);
  /* Monotonic clock, nanoseconds. [any-thread] [local] [no-block] */
  uint64_t (*now_ns)(void);
  /* The best ready kernel for a key, NULL when there is none. Resolve once per group; the pointer
   * stays valid until the process ends. [any-thread] [local] [no-block] */
  muster_kernel_function (*kernel)(const muster_host* host, const muster_kernel_key* key);
  /* Asks the program to issue work that its framework still holds back for this kind of memory
   * (lazy modes), through the function that it gave to muster_set_flush. Ok when there is none.
   * [any-thread] [local] */
  MUSTER_OWN muster_status* (*flush_pending)(const muster_host* host, muster_memory memory);
  /* A further interface of the runtime by name, NULL when this runtime lacks it. [any-thread]
   * [local] [no-block] */
  const void* (*get_interface)(const muster_host* host, const char* name);

  /* ---- per group ---- */

  /* [any-thread] [local] [no-block] */
  const muster_group_info* (*group_info)(const muster_host_group* group);
  /* As option, for this group (a [group."glob".backend.id] of the configuration goes first); valid
   * as long as the group. [any-thread] [local] [no-block] */
  const char* (*group_option)(const muster_host_group* group, const char* key);
  /* Every rank gives `bytes` bytes; out takes size*bytes in rank order. Only inside group_connect,
   * memory_register and capture_end. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*all_gather)(muster_host_group* group, const void* data,
                                          uint64_t bytes, void* out);
  /* The root's bytes reach every rank: how opaque ids of a plugin-chosen length travel. Same places
   * as all_gather. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*broadcast)(muster_host_group* group, uint32_t root, void* data,
                                         uint64_t bytes);
  /* Every rank gives `count` file descriptors (at most 8; the same count everywhere) and receives
   * size*count of them in rank order, its own duplicated. All ranks on one node. The received ones
   * are the caller's to close. Same places as all_gather. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*exchange_fds)(muster_host_group* group, const int32_t* fds,
                                            uint32_t count, int32_t* out_fds);
  /* At least `bytes` bytes of scratch of a memory kind, aligned to 4096, until the next call of
   * scratch for this kind on this group. Grows only in eager calls; fails in graph phases when too
   * little was reserved (muster_group_reserve). [group-serial] [local] */
  MUSTER_OWN muster_status* (*scratch)(muster_host_group* group, muster_memory memory,
                                       uint64_t bytes, void** out);
  /* When the operation in hand must be over, on the clock of now_ns: one configured span after the
   * call began. [group-serial] [local] [no-block] */
  uint64_t (*deadline_ns)(const muster_host_group* group);
  /* The one way to wait for another rank: returns once word->value >= at_least. Spins, then sleeps
   * in the word's futex in slices of at most 100 ms, each looking at the abort word, the deadline
   * and whether `peer` (the group rank that will write the word) still lives. Fails with PEER_LOST,
   * ABORTED or DEADLINE_EXCEEDED, naming the peer. [any-thread] [local] */
  MUSTER_OWN muster_status* (*wait)(muster_host_group* group, muster_wait_word* word,
                                    uint64_t at_least, uint32_t peer);
  /* Stores word->value (release) and wakes whoever sleeps. [any-thread] [local] [no-block] */
  void (*signal)(muster_wait_word* word, uint64_t value);
  /* 1 while the peer (a group rank) is known to live or cannot be observed, 0 once it is lost.
   * [any-thread] [local] [no-block] */
  uint32_t (*peer_alive)(muster_host_group* group, uint32_t peer);
};
#define MUSTER_HOST_SIZE MUSTER_STRUCT_SIZE(muster_host, peer_alive)
MUSTER_ASSERT_STRUCT_SIZE(muster_host, MUSTER_HOST_SIZE);

#endif
