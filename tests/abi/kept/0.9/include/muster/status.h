/* How every function that can fail reports: NULL is ok, anything else is an owned status.
 *
 * A status carries a code of a closed list, the cause (what was wrong and where: file and line,
 * rank, plugin) and the remedy (what to do). Statuses are immutable; any thread may read one.
 * Equivalent to OrtStatus*, PJRT_Error*. Programs read and release them with the functions of
 * muster.h; plugins make them with the status_make of host.h. Both are made and freed by the
 * runtime. */
#ifndef MUSTER_STATUS_H
#define MUSTER_STATUS_H

#include "muster/base.h"

typedef struct muster_status muster_status;

typedef uint32_t muster_code;
enum {
  MUSTER_OK = 0,
  MUSTER_INVALID_ARGUMENT = 1, /* the caller's mistake; nothing was done */
  MUSTER_NOT_FOUND = 2,        /* a name, file or key that does not exist */
  MUSTER_UNIMPLEMENTED = 3,    /* from a plugin: never offer this again for this group */
  MUSTER_UNAVAILABLE =
      4, /* from a plugin: not on this machine, or not now; left out, with this cause */
  MUSTER_PERMISSION_DENIED = 5, /* owner, mode, privilege */
  MUSTER_FAILED_PRECONDITION =
      6, /* right call, wrong moment: work outstanding, group broken, phase */
  MUSTER_RESOURCE_EXHAUSTED = 7, /* memory, descriptors, a limit of the configuration */
  MUSTER_DEADLINE_EXCEEDED = 8,  /* a bounded wait ended; the cause names who was waited for */
  MUSTER_PEER_LOST = 9,          /* a rank died or left; the cause names it */
  MUSTER_ABORTED = 10,           /* the group was aborted or another rank failed */
  MUSTER_MISMATCH =
      11, /* ranks disagree: policy, operation, counts, versions; the cause names who and what */
  MUSTER_DATA_LOSS = 12,    /* a check found wrong or truncated data */
  MUSTER_OUT_OF_RANGE = 13, /* a number that does not fit */
  MUSTER_INTERNAL = 14,     /* a defect of muster or of the plugin that is named */
  MUSTER_CODE_END = 15
};

#endif
