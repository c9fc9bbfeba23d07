/* Collectives on whole tensors: along a dimension, dictionaries of tensors, opaque bytes.
 *
 * They are made of the group's plain collectives; data goes by the chain of its own memory kind,
 * lengths and descriptions by the group's host channel (its chain for host memory). Shapes are
 * row-major and contiguous, sizes in elements, slowest dimension first. */
#ifndef MUSTER_TENSORS_H
#define MUSTER_TENSORS_H

#include "muster/muster.h"

MUSTER_EXTERN_C_BEGIN

#define MUSTER_MAX_DIMS 8

/* ---- along a dimension ----
 * Where the elements of one rank do not lie together in the result, the runtime moves them through
 * scratch of the group (in a graph phase: reserve it with muster_group_reserve, bytes of the whole
 * tensor): in host memory itself, elsewhere by the plugin that gives muster.device/1 for that kind,
 * in the order of the call's stream; UNAVAILABLE without one. send and recv do not overlap, except
 * that dim 0 takes the in-place forms of the plain operation. */

/* shape: of send, on every rank; recv: the same with shape[dim] * size. As torch all_gather with
 * cat(dim). [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_all_gather_dim(muster_group* group, const void* send,
                                                           void* recv, const uint64_t* shape,
                                                           uint32_t dims, uint32_t dim,
                                                           muster_dtype dtype,
                                                           const muster_call_options* options);
/* The same on root only; recv is ignored elsewhere. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_gather_dim(muster_group* group, const void* send,
                                                       void* recv, const uint64_t* shape,
                                                       uint32_t dims, uint32_t dim,
                                                       muster_dtype dtype, uint32_t root,
                                                       const muster_call_options* options);
/* shape: of send; recv: the same with shape[dim] / size, which must divide. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_reduce_scatter_dim(
    muster_group* group, const void* send, void* recv, const uint64_t* shape, uint32_t dims,
    uint32_t dim, muster_dtype dtype, muster_redop redop, const muster_call_options* options);

/* ---- opaque bytes: the receiver learns the length ----
 * A mistake in data or bytes is told to the receivers, whose calls fail with it. */

/* sink gets root's bytes, once, on every rank, root included; they are valid during the call only.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_broadcast_bytes(muster_group* group, const void* data,
                                                            uint64_t bytes, uint32_t root,
                                                            muster_bytes_sink sink, void* context);
/* Matched by muster_recv_bytes of the peer, in order per pair. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_send_bytes(muster_group* group, const void* data,
                                                       uint64_t bytes, uint32_t peer);
/* [local] */
MUSTER_API MUSTER_OWN muster_status* muster_recv_bytes(muster_group* group, uint32_t peer,
                                                       muster_bytes_sink sink, void* context);

/* ---- dictionaries of tensors ---- */

/* Entries by name, in the order in which they were added. A name is any text; "a/b/c" is how nested
 * dictionaries are written flat. One thread at a time. */
typedef struct muster_dict muster_dict;

typedef uint32_t muster_dict_kind;
enum {
  MUSTER_DICT_TENSOR = 1,
  MUSTER_DICT_VALUE = 2 /* a small host value: bytes that travel with the description */
};

typedef struct muster_dict_entry {
  uint32_t struct_size;
  muster_dict_kind kind;
  muster_dtype dtype;   /* of a tensor */
  muster_memory memory; /* of a tensor, never DEFAULT */
  uint32_t dims;        /* of a tensor; 0: one element */
  uint32_t reserved;
  const char* name;
  const uint64_t* shape; /* dims entries */
  void* data;            /* the tensor's memory, or the value */
  uint64_t bytes;        /* 0: an empty tensor or value */
} muster_dict_entry;
#define MUSTER_DICT_ENTRY_SIZE MUSTER_STRUCT_SIZE(muster_dict_entry, bytes)
MUSTER_ASSERT_STRUCT_SIZE(muster_dict_entry, MUSTER_DICT_ENTRY_SIZE);

MUSTER_API MUSTER_OWN muster_status* muster_dict_create(MUSTER_OWN muster_dict** out);
/* Takes NULL. Frees what the dictionary owns: descriptions, values, and received tensors for which
 * nobody gave memory. */
MUSTER_API void muster_dict_release(MUSTER_OWN muster_dict* dict);
/* data stays the program's and outlives the dictionary; name and shape are copied.
 * INVALID_ARGUMENT for a name that is there already. */
MUSTER_API MUSTER_OWN muster_status* muster_dict_add_tensor(muster_dict* dict, const char* name,
                                                            void* data, const uint64_t* shape,
                                                            uint32_t dims, muster_dtype dtype,
                                                            muster_memory memory);
/* The bytes are copied; at most 64 KiB, what is larger is a tensor. */
MUSTER_API MUSTER_OWN muster_status* muster_dict_add_value(muster_dict* dict, const char* name,
                                                           const void* data, uint64_t bytes);
MUSTER_API uint64_t muster_dict_count(const muster_dict* dict);
/* Pointers in *out are the dictionary's, valid until it changes. out->struct_size is set by the
 * caller. */
MUSTER_API MUSTER_OWN muster_status* muster_dict_at(const muster_dict* dict, uint64_t index,
                                                    muster_dict_entry* out);
/* NOT_FOUND names the nearest entry. */
MUSTER_API MUSTER_OWN muster_status* muster_dict_find(const muster_dict* dict, const char* name,
                                                      muster_dict_entry* out);

/* Memory for a received tensor that has data (entry->data is NULL): the program's, which it frees,
 * also when the call fails. NULL fails the call with RESOURCE_EXHAUSTED on every rank. */
typedef void* (*muster_tensor_allocate)(void* context, const muster_dict_entry* entry);

/* Zero-initialise, set struct_size. */
typedef struct muster_dict_options {
  uint32_t struct_size;
  uint32_t reserved;
  muster_tensor_allocate allocate; /* NULL: host tensors get memory of the dictionary */
  void* context;
  /* send and recv: a group whose ranks all hold the same dictionary on the sending side, such as
   * tp. Each sends 1/size of a tensor whose elements divide by size, and the receiving side gathers
   * it; small host tensors (up to 4 KiB) travel whole, many at once. NULL: every tensor is sent
   * whole. */
  muster_group* all_gather_group;
  muster_stream stream; /* of device tensors */
} muster_dict_options;
#define MUSTER_DICT_OPTIONS_SIZE MUSTER_STRUCT_SIZE(muster_dict_options, stream)
MUSTER_ASSERT_STRUCT_SIZE(muster_dict_options, MUSTER_DICT_OPTIONS_SIZE);

/* Root's dictionary reaches every rank. Elsewhere an empty dict takes entries as they come; one
 * with entries receives into the memory of its own, and then every entry must match root's by name,
 * kind, dtype, memory kind and shape, in any order (values are replaced, of whatever size): else
 * MISMATCH on every rank, naming the ranks and what differs. All ranks agree before data moves; the
 * dictionary is unchanged when they do not. [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_broadcast_dict(muster_group* group, muster_dict* dict,
                                                           uint32_t root,
                                                           const muster_dict_options* options);
/* Matched by muster_recv_dict of the peer, in order per pair; each side gives its own
 * all_gather_group, both of one size or both none, and the two peers have the same rank in them.
 * Waits for the peer's answer: what keeps the receiving side from taking the dictionary is told on
 * both sides. [local, collective over all_gather_group] */
MUSTER_API MUSTER_OWN muster_status* muster_send_dict(muster_group* group, const muster_dict* dict,
                                                      uint32_t peer,
                                                      const muster_dict_options* options);
MUSTER_API MUSTER_OWN muster_status* muster_recv_dict(muster_group* group, muster_dict* dict,
                                                      uint32_t peer,
                                                      const muster_dict_options* options);

MUSTER_EXTERN_C_END

#endif
