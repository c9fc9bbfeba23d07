/* Replays a plan without a call into the library: for loops in which nanoseconds count.
 *
 * muster_plan_replay does what muster_plan_run does, and may be mixed with it. The compiler puts it
 * in place, so that a replay is one indirect call, of the backend itself. */
#ifndef MUSTER_PLAN_H
#define MUSTER_PLAN_H

#include "muster/base.h"
#include "muster/call.h"
#include "muster/muster.h"
#include "muster/status.h"

MUSTER_EXTERN_C_BEGIN

struct muster_backend_group;

/* What every muster_plan begins with. Written by the runtime, read by muster_plan_replay; not for
 * programs. Its layout is that of every 0.x runtime whose minor is not lower than the header's. */
typedef struct muster_plan_head {
  /* The backend's. [group-serial] [collective] */
  MUSTER_OWN muster_status* (*execute)(struct muster_backend_group* state, const muster_call* call);
  struct muster_backend_group* state;
  const muster_call* call;
  /* Not 0: the group wants to be looked at first (broken, checked, in another phase). */
  const uint32_t* attention;
  /* Set to 0: the call has not asked for its deadline yet. */
  uint64_t* deadline_ns;
  /* Runs that the group's counters do not have yet. */
  uint64_t runs;
  /* Takes what execute said, and breaks the group. [group-serial] [local] */
  MUSTER_OWN muster_status* (*failed)(muster_plan* plan, MUSTER_OWN muster_status* status);
} muster_plan_head;

/* As muster_plan_run; the plan must not be NULL. [collective, or local] */
static inline MUSTER_OWN muster_status* muster_plan_replay(muster_plan* plan) {
  muster_plan_head* const head = (muster_plan_head*)(void*)plan;
  muster_status* status;
  if (__builtin_expect(__atomic_load_n(head->attention, __ATOMIC_RELAXED) != 0, 0))
    return muster_plan_run(plan);
  head->runs += 1;
  *head->deadline_ns = 0;
  status = head->execute(head->state, head->call);
  if (__builtin_expect(status != NULL, 0)) return head->failed(plan, status);
  return NULL;
}

MUSTER_EXTERN_C_END

#endif
