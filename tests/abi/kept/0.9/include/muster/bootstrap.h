/* Interface "muster.bootstrap/1": how the ranks of a world first meet. Carries set-up only, never a
 * collective's data.
 *
 * A bootstrap gives either put/get, or all_gather over any subset, or both; the runtime supplies
 * what is missing (broadcast, min/max, barrier, all_gather) from what is there. A program may hand
 * one to muster_init itself. As a PMI/PMIx server, a torch Store, ncclBootstrap. */
#ifndef MUSTER_BOOTSTRAP_H
#define MUSTER_BOOTSTRAP_H

#include "muster/base.h"
#include "muster/host.h"
#include "muster/status.h"

struct muster_instance;

/* One world. Owned by the bootstrap. */
typedef struct muster_world muster_world;

/* Takes the bytes of one rank. [any-thread] [local] [no-block] */
typedef void (*muster_bytes_sink)(void* context, uint32_t index, const void* data, uint64_t bytes);

#define MUSTER_BOOTSTRAP_INTERFACE "muster.bootstrap/1"
typedef struct muster_bootstrap {
  uint32_t struct_size;
  int32_t priority; /* among the bootstraps that are willing to open */
  const char* name; /* "mpi", "torch" */

  /* 1 when this process was started in a way that this bootstrap serves; looks only at the
   * environment and at process state. instance is NULL when the program gave the table itself.
   * [setup-thread] [local] [no-block] */
  uint32_t (*available)(struct muster_instance* instance);
  /* Joins the world. [setup-thread] [collective] */
  MUSTER_OWN muster_status* (*open)(struct muster_instance* instance, uint64_t deadline_ns,
                                    MUSTER_OWN muster_world** out);
  /* [any-thread] [local] [no-block] */
  uint32_t (*rank)(muster_world* world);
  /* [any-thread] [local] [no-block] */
  uint32_t (*size)(muster_world* world);
  /* Publishes bytes under a key of this rank; each key is put once. [any-thread] [local] */
  MUSTER_OWN muster_status* (*put)(muster_world* world, const char* key, const void* data,
                                   uint64_t bytes);
  /* Waits for a rank's key until the deadline and gives its bytes to sink (index = from_rank).
   * PEER_LOST when that rank is known to be gone. [any-thread] [local] */
  MUSTER_OWN muster_status* (*get)(muster_world* world, uint32_t from_rank, const char* key,
                                   uint64_t deadline_ns, muster_bytes_sink sink, void* context);
  /* Every one of `count` world ranks (sorted or not, the same list everywhere) gives bytes, of any
   * length; sink is called once per member with its index in the list. tag tells apart exchanges of
   * different groups; exchanges of one tag happen in one order on all members. [any-thread]
   * [collective] */
  MUSTER_OWN muster_status* (*all_gather)(muster_world* world, const uint32_t* ranks,
                                          uint32_t count, uint64_t tag, const void* data,
                                          uint64_t bytes, uint64_t deadline_ns,
                                          muster_bytes_sink sink, void* context);
  /* Leaves the world; does not wait for others longer than the deadline. [setup-thread] [local] */
  void (*close)(MUSTER_OWN muster_world* world, uint64_t deadline_ns);
} muster_bootstrap;
#define MUSTER_BOOTSTRAP_SIZE MUSTER_STRUCT_SIZE(muster_bootstrap, close)
MUSTER_ASSERT_STRUCT_SIZE(muster_bootstrap, MUSTER_BOOTSTRAP_SIZE);

#endif
