/* Interface "muster.host_memory/1", which the runtime gives through muster_host.get_interface: the
 * memory file behind host memory of muster_mem_alloc, so that a backend's memory_register can map
 * the memory of the other ranks. As what hwloc_shmem or an MPI shared-memory window is made of.
 *
 * The files are memfds: sealed against shrinking and growing, as long as the memory that they back,
 * rounded up to whole pages, zeroed. They go with the last process that maps them. A runtime that
 * lacks the interface backs nothing. */
#ifndef MUSTER_HOST_MEMORY_H
#define MUSTER_HOST_MEMORY_H

#include "muster/base.h"
#include "muster/host.h"
#include "muster/status.h"

#define MUSTER_HOST_MEMORY_INTERFACE "muster.host_memory/1"
typedef struct muster_host_memory {
  uint32_t struct_size;
  uint32_t reserved;
  /* The file descriptor that backs pointer..pointer+bytes, and where in its file `pointer` lies.
   * The descriptor is borrowed: valid until the memory is freed, so at least until memory_register
   * returns; duplicate it to keep it. UNAVAILABLE, with the cause, for memory that muster_mem_alloc
   * did not give as one piece. [any-thread] [local] */
  MUSTER_OWN muster_status* (*backing)(const muster_host* host, const void* pointer, uint64_t bytes,
                                       int32_t* out_fd, uint64_t* out_offset);
} muster_host_memory;
#define MUSTER_HOST_MEMORY_SIZE MUSTER_STRUCT_SIZE(muster_host_memory, backing)
MUSTER_ASSERT_STRUCT_SIZE(muster_host_memory, MUSTER_HOST_MEMORY_SIZE);

#endif
