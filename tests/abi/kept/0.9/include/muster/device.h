/* Interface "muster.device/1": what the runtime needs of a kind of memory that is not the host's:
 * staging, composition on device buffers, graph phases. Given by the plugin that knows the vendor's
 * driver, independently of any backend. allocate, free, copy and copy_2d are required; any other
 * slot may be NULL, and what needs it is then left out. As the device half of FlagCX's adaptors,
 * PJRT's buffer functions. */
#ifndef MUSTER_DEVICE_H
#define MUSTER_DEVICE_H

#include "muster/base.h"
#include "muster/status.h"
#include "muster/types.h"

struct muster_instance;

typedef uint32_t muster_capture_state;
enum { MUSTER_NOT_CAPTURING = 0, MUSTER_CAPTURING = 1, MUSTER_CAPTURE_INVALIDATED = 2 };

/* A point in a stream. Owned by the device plugin. */
typedef struct muster_event muster_event;
/* Recorded work, ready to be launched again and again. Owned by the device plugin. */
typedef struct muster_graph muster_graph;

#define MUSTER_DEVICE_INTERFACE "muster.device/1"
typedef struct muster_device {
  uint32_t struct_size;
  muster_memory memory; /* the kind that this table serves */
  muster_stream_kind stream_kind;
  uint32_t reserved;
  /* Devices of this process. [any-thread] [local] */
  MUSTER_OWN muster_status* (*device_count)(struct muster_instance* instance, uint32_t* out);
  /* Whether a pointer is of this kind, and on which device. [any-thread] [local] */
  MUSTER_OWN muster_status* (*memory_of)(struct muster_instance* instance, const void* pointer,
                                         uint32_t* is_mine, uint32_t* device);
  /* Aligned to 4096. [any-thread] [local] */
  MUSTER_OWN muster_status* (*allocate)(struct muster_instance* instance, uint32_t device,
                                        uint64_t bytes, void** out);
  /* Takes NULL. Work that was enqueued before may still use the memory: waits for it, as cudaFree
   * does. [any-thread] [local] */
  void (*free)(struct muster_instance* instance, uint32_t device, void* pointer);
  /* Copies between this kind and the host, or within this kind, in stream order; with a stream of
   * kind NONE it has completed on return. [any-thread] [local] [capture-safe] */
  MUSTER_OWN muster_status* (*copy)(struct muster_instance* instance, void* dst, const void* src,
                                    uint64_t bytes, const muster_stream* stream);
  /* Copies `rows` runs of `row_bytes` with strides. [any-thread] [local] [capture-safe] */
  MUSTER_OWN muster_status* (*copy_2d)(struct muster_instance* instance, void* dst,
                                       uint64_t dst_stride, const void* src, uint64_t src_stride,
                                       uint64_t row_bytes, uint64_t rows,
                                       const muster_stream* stream);
  /* [any-thread] [local] [no-block] [capture-safe] */
  MUSTER_OWN muster_status* (*capture_state)(struct muster_instance* instance,
                                             const muster_stream* stream,
                                             muster_capture_state* out);
  /* Waits until everything enqueued so far is done. [any-thread] [local] */
  MUSTER_OWN muster_status* (*synchronize)(struct muster_instance* instance,
                                           const muster_stream* stream);
  /* Marks this point of the stream. [any-thread] [local] [no-block] [capture-safe] */
  MUSTER_OWN muster_status* (*event_record)(struct muster_instance* instance,
                                            const muster_stream* stream,
                                            MUSTER_OWN muster_event** out);
  /* Sets *done. [any-thread] [local] [no-block] */
  MUSTER_OWN muster_status* (*event_test)(struct muster_instance* instance, muster_event* event,
                                          uint32_t* done);
  /* Makes the stream wait for the event. [any-thread] [local] [no-block] [capture-safe] */
  MUSTER_OWN muster_status* (*event_wait)(struct muster_instance* instance,
                                          const muster_stream* stream, muster_event* event);
  /* Takes NULL. [any-thread] [local] [no-block] */
  void (*event_release)(struct muster_instance* instance, MUSTER_OWN muster_event* event);
  /* ---- optional: streams and graphs for measuring and testing; all of these, or none ---- */
  /* A stream of the device that waits for no other one. [any-thread] [local] */
  MUSTER_OWN muster_status* (*stream_create)(struct muster_instance* instance, uint32_t device,
                                             muster_stream* out);
  /* Waits until what was enqueued is done. [any-thread] [local] */
  void (*stream_destroy)(struct muster_instance* instance, const muster_stream* stream);
  /* From here on what is enqueued is recorded, not run. As cudaStreamBeginCapture, thread-local.
   * [any-thread] [local] */
  MUSTER_OWN muster_status* (*capture_begin)(struct muster_instance* instance,
                                             const muster_stream* stream);
  /* Ends the recording, also of one that failed. [any-thread] [local] */
  MUSTER_OWN muster_status* (*capture_end)(struct muster_instance* instance,
                                           const muster_stream* stream,
                                           MUSTER_OWN muster_graph** out);
  /* [any-thread] [local] */
  MUSTER_OWN muster_status* (*graph_launch)(struct muster_instance* instance, muster_graph* graph,
                                            const muster_stream* stream);
  /* Takes NULL. Its launches must be done. [any-thread] [local] */
  void (*graph_release)(struct muster_instance* instance, MUSTER_OWN muster_graph* graph);
  /* Microseconds between two events of one device that have both been reached. [any-thread]
   * [local] */
  MUSTER_OWN muster_status* (*event_elapsed)(struct muster_instance* instance, muster_event* begin,
                                             muster_event* end, double* out_us);
  /* ---- optional: host memory that is copied faster; both, or none ---- */
  /* Makes whole pages of host memory fast to copy from and to a device, until host_unpin. As
   * cudaHostRegister. [any-thread] [local] */
  MUSTER_OWN muster_status* (*host_pin)(struct muster_instance* instance, uint32_t device,
                                        void* pointer, uint64_t bytes);
  /* Of what was pinned for the device, before it is freed. [any-thread] [local] */
  void (*host_unpin)(struct muster_instance* instance, uint32_t device, void* pointer);
} muster_device;
#define MUSTER_DEVICE_SIZE MUSTER_STRUCT_SIZE(muster_device, host_unpin)
MUSTER_ASSERT_STRUCT_SIZE(muster_device, MUSTER_DEVICE_SIZE);

#endif
