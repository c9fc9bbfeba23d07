/* Interface "muster.backend/1": a backend that carries out collective calls.
 *
 * Life of a group: probe (once per runtime) -> facts of all ranks exchanged -> offer (pure) ->
 * chain agreed -> group_prepare [local]
 * -> vote -> group_connect [collective] -> known-answer test -> execute ... -> group_destroy
 * [local]. A failure of any rank in prepare or connect leaves the backend out on every rank, and
 * group_destroy follows. A NULL slot means "not offered"; group_prepare, group_connect, execute,
 * group_destroy, probe and offer are required.
 *
 * A backend declines before the call, never inside it: once execute has begun on any rank the call
 * is the backend's. As ompi's coll module (comm_query, enable), ucc's tl with a score map. */
#ifndef MUSTER_BACKEND_H
#define MUSTER_BACKEND_H

#include "muster/base.h"
#include "muster/call.h"
#include "muster/entry.h"
#include "muster/host.h"
#include "muster/status.h"
#include "muster/types.h"

/* One backend's side of one group. Owned by the backend. */
typedef struct muster_backend_group muster_backend_group;
/* One started call. Owned by the backend until test reports it done. */
typedef struct muster_request muster_request;

/* Where probe writes its facts: canonical key/value pairs, compared and exchanged as bytes. A later
 * put of a key replaces the earlier. Keys are [a-z0-9_.]+ of 63 characters at most, values UTF-8
 * without control characters, 4 KiB at most together per backend. */
typedef struct muster_fact_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* [setup-thread] [local] [no-block] */
  void (*put)(void* context, const char* key, const char* value);
} muster_fact_sink;
#define MUSTER_FACT_SINK_SIZE MUSTER_STRUCT_SIZE(muster_fact_sink, put)
MUSTER_ASSERT_STRUCT_SIZE(muster_fact_sink, MUSTER_FACT_SINK_SIZE);

enum { /* muster_rule.place */
       MUSTER_PLACE_ANY = 0,
       MUSTER_PLACE_IN = 1,
       MUSTER_PLACE_OUT = 2
};
enum { /* muster_rule.flags */
       /* Only calls on collectively registered memory. */
       MUSTER_RULE_SYMMETRIC = 1u << 0,
       /* Also calls whose size is not known to all ranks (gatherv and the like). */
       MUSTER_RULE_UNSIZED = 1u << 1,
       /* Fused calls: also those with quantised output (MUSTER_CALL_QUANTISED). */
       MUSTER_RULE_QUANTISED = 1u << 2,
       /* Every flag that this header knows. */
       MUSTER_RULE_FLAGS = (1u << 3) - 1
};

/* One bit per value of a vocabulary: MUSTER_BIT(MUSTER_ALL_REDUCE) | ... */
#define MUSTER_BIT(value) (UINT64_C(1) << (value))

/* One declarative statement of an offer: "these calls, for this score". Zero masks of dtypes,
 * redops, memory, phases and streams mean, in this order: operations without data only; operations
 * that do not reduce only; host only; eager only; host calls only. Limits are inclusive.
 *
 * A runtime ignores bits of a mask that it does not know. A rule of a later minor with a flag,
 * place or class that it does not know is left out there, and explain says so. */
typedef struct muster_rule {
  uint32_t struct_size;
  int32_t score;    /* -100..100, compared within equal priority only */
  uint64_t ops;     /* bits of muster_op; not zero */
  uint64_t dtypes;  /* bits of muster_dtype */
  uint64_t redops;  /* bits of muster_redop */
  uint64_t memory;  /* bits of muster_memory */
  uint64_t phases;  /* bits of muster_phase; warm-up and capture are given together or not at all */
  uint64_t streams; /* bits of muster_stream_kind */
  uint64_t bytes_from;            /* selection_bytes, inclusive */
  uint64_t bytes_to;              /* inclusive; 0 together with bytes_from 0: any size */
  uint64_t bytes_multiple;        /* 0 or 1: any */
  uint32_t ranks_from;            /* group sizes, inclusive; 0: any */
  uint32_t ranks_to;              /* 0: any */
  uint32_t place;                 /* MUSTER_PLACE_... */
  uint32_t flags;                 /* MUSTER_RULE_... */
  muster_determinism determinism; /* the strongest class that these calls keep */
  uint32_t reserved;
  char name[32]; /* the algorithm, for people: "one_shot", "ring" */
} muster_rule;
#define MUSTER_RULE_SIZE MUSTER_STRUCT_SIZE(muster_rule, name)
MUSTER_ASSERT_STRUCT_SIZE(muster_rule, MUSTER_RULE_SIZE);

/* What offer is asked: a described group, real or imagined. offer reads nothing else: not the
 * clock, not the environment, not the machine, not its own rank. Same input, same rules: on every
 * rank, and in a dry run for another machine. */
typedef struct muster_offer_query {
  uint32_t struct_size;
  uint32_t size; /* of the group */
  muster_determinism determinism;
  uint32_t reserved;
  const char* group_name;
  const char* bootstrap;           /* as muster_group_info.bootstrap */
  const muster_rank_place* places; /* size entries */
  void* context;
  /* This backend's fact of a group rank, NULL when that rank has none of this name. Valid until
   * offer returns. [setup-thread] [local] [no-block] */
  const char* (*fact)(void* context, uint32_t rank, const char* key);
  /* As muster_host.group_option. Valid until offer returns. [setup-thread] [local] [no-block] */
  const char* (*option)(void* context, const char* key);
  /* Adds a rule; it is copied. An offer has 4096 at most. [setup-thread] [local] [no-block] */
  void (*add_rule)(void* context, const muster_rule* rule);
  /* Says why something is not offered; shown by explain. The text is copied. [setup-thread] [local]
   * [no-block] */
  void (*decline)(void* context, const char* reason);
} muster_offer_query;
#define MUSTER_OFFER_QUERY_SIZE MUSTER_STRUCT_SIZE(muster_offer_query, decline)
MUSTER_ASSERT_STRUCT_SIZE(muster_offer_query, MUSTER_OFFER_QUERY_SIZE);

typedef uint32_t muster_option_type;
enum {
  MUSTER_OPTION_TEXT = 0,
  MUSTER_OPTION_INTEGER = 1, /* decimal, within minimum..maximum */
  MUSTER_OPTION_BYTES =
      2, /* like integer; written "64KiB" in the configuration, handed over in bytes */
  MUSTER_OPTION_BOOLEAN = 3, /* "true" or "false" */
  MUSTER_OPTION_END = 4
};

/* An option that the backend understands. The configuration is checked against these before open's
 * instance sees any. */
typedef struct muster_option {
  uint32_t struct_size;
  muster_option_type type;
  const char* name; /* [a-z0-9_]+ */
  const char* default_value;
  const char* help; /* one line */
  int64_t minimum;
  int64_t maximum;
} muster_option;
#define MUSTER_OPTION_SIZE MUSTER_STRUCT_SIZE(muster_option, maximum)
MUSTER_ASSERT_STRUCT_SIZE(muster_option, MUSTER_OPTION_SIZE);

#define MUSTER_BACKEND_INTERFACE "muster.backend/1"
typedef struct muster_backend {
  uint32_t struct_size;
  int32_t priority; /* 0..100, the plugin's own; the configuration's goes first */
  uint32_t option_count;
  uint32_t reserved;
  const muster_option* options; /* all of the struct_size of the first */

  /* Looks at this machine and reports facts: pure, no device context, no communication, within the
   * time budget that discovery sets. UNAVAILABLE, with the cause, when nothing here can serve.
   * [setup-thread] [local] */
  MUSTER_OWN muster_status* (*probe)(muster_instance* instance, const muster_fact_sink* facts);
  /* Which calls the backend would take for a described group. [setup-thread] [local] [no-block] */
  MUSTER_OWN muster_status* (*offer)(muster_instance* instance, const muster_offer_query* query);
  /* Makes this rank's part; must not wait for another rank. [setup-thread] [local] */
  MUSTER_OWN muster_status* (*group_prepare)(muster_instance* instance, muster_host_group* group,
                                             MUSTER_OWN muster_backend_group** out);
  /* Joins the parts of all ranks; every wait in it ends at the group's deadline. [setup-thread]
   * [collective] */
  MUSTER_OWN muster_status* (*group_connect)(muster_backend_group* group);
  /* Carries out one call. With a host call: returns when the caller's buffers are done. With a
   * stream: enqueues and returns; the program has ordered it behind the group's calls on other
   * streams. [group-serial] [collective] [capture-safe] */
  MUSTER_OWN muster_status* (*execute)(muster_backend_group* group, const muster_call* call);
  /* Begins a host call and returns; calls complete in any order, but start in the order given.
   * [group-serial] [collective] [no-block] */
  MUSTER_OWN muster_status* (*start)(muster_backend_group* group, const muster_call* call,
                                     MUSTER_OWN muster_request** out);
  /* Progresses a started call; sets *done and frees the request once it is over, also when it
   * failed. [group-serial] [local] [no-block] */
  MUSTER_OWN muster_status* (*test)(muster_backend_group* group, muster_request* request,
                                    uint32_t* done);
  /* Several calls as one: no order among them, no deadlock between their sends and receives. Call i
   * is MUSTER_AT(muster_call, calls, i). As ncclGroupStart/End. [group-serial] [collective]
   * [capture-safe] */
  MUSTER_OWN muster_status* (*execute_batch)(muster_backend_group* group, const muster_call* calls,
                                             uint32_t count);
  /* Makes a buffer known on all ranks (symmetric: the same size everywhere); host_memory.h tells
   * what backs host memory. UNAVAILABLE for a buffer that cannot be registered: calls on it are
   * then served by copying. If it fails on any rank, the others deregister theirs. Every wait in it
   * ends at the group's deadline. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*memory_register)(muster_backend_group* group, void* pointer,
                                               uint64_t bytes, muster_memory memory,
                                               void** out_registration);
  /* On every rank that has the registration, which ends before its memory does. What is left over
   * at group_destroy ends there. [group-serial] [collective] */
  void (*memory_deregister)(muster_backend_group* group, void* registration);
  /* The group enters a graph phase. [group-serial] [local] [no-block] */
  MUSTER_OWN muster_status* (*capture_begin)(muster_backend_group* group, muster_phase phase);
  /* The phase ends; ok is the AND over all ranks. Registration of what was captured happens here,
   * and only when ok. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*capture_end)(muster_backend_group* group, uint32_t ok);
  /* A failure that happened after execute returned, NULL when none. [any-thread] [local] [no-block]
   */
  MUSTER_OWN muster_status* (*async_error)(muster_backend_group* group);
  /* Makes every wait of this rank in this group end soon with ABORTED. [any-thread] [local]
   * [no-block] */
  void (*abort)(muster_backend_group* group);
  /* Ends this rank's part without waiting for others; takes what prepare made, connected or not.
   * Bounded. [setup-thread] [local] */
  void (*group_destroy)(MUSTER_OWN muster_backend_group* group);
} muster_backend;
#define MUSTER_BACKEND_SIZE MUSTER_STRUCT_SIZE(muster_backend, group_destroy)
MUSTER_ASSERT_STRUCT_SIZE(muster_backend, MUSTER_BACKEND_SIZE);

#endif
