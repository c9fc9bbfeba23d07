/* Roles and layouts: "the tensor-parallel all_reduce" instead of a list of ranks.
 *
 * A layout cuts the world once into the groups of every role of model parallelism. Ranks are
 * numbered dp-major: rank = (dp_index * pp + pp_index) * tp + place_in_tp. Inside a block of tp
 * ranks, attention is attn_dp x attn_cp x attn_tp and experts are moe_dp x ep x moe_tp, the last
 * factor contiguous. Roles whose groups, options, rules and determinism are equal share one group,
 * and with it the communicators and one ordered sequence of calls.
 *
 * A role's group is named after the role ("tp", "moe_ep"), so [group."moe*"] and [[rule]] group of
 * the configuration set options, priorities and bans by role; a role for which they say something
 * of its own has a group of its own. A shared group has the name of the first of its roles in the
 * order of muster_role, and one thread at a time uses it for all of them. As the parallel state of
 * the inference engines; for MPI, communicators made by MPI_Comm_split. */
#ifndef MUSTER_PARALLEL_H
#define MUSTER_PARALLEL_H

#include "muster/muster.h"
#include "muster/tensors.h"

MUSTER_EXTERN_C_BEGIN

typedef uint32_t muster_role;
enum {
  MUSTER_ROLE_NONE = 0,
  MUSTER_ROLE_WORLD = 1,
  MUSTER_ROLE_TP = 2,                 /* contiguous blocks of tp */
  MUSTER_ROLE_ATTN_TP = 3,            /* contiguous; attn_tp = tp / attn_dp / attn_cp */
  MUSTER_ROLE_ATTN_CP = 4,            /* stride attn_tp, inside one attn_dp block */
  MUSTER_ROLE_ATTN_DP = 5,            /* stride attn_tp * attn_cp, inside one tp block */
  MUSTER_ROLE_MOE_EP = 6,             /* stride moe_tp, inside one moe_dp block */
  MUSTER_ROLE_MOE_TP = 7,             /* contiguous; moe_tp = tp / moe_dp / ep */
  MUSTER_ROLE_MOE_DP = 8,             /* stride moe_tp * ep, inside one tp block */
  MUSTER_ROLE_PP = 9,                 /* stride tp, inside one dp block */
  MUSTER_ROLE_DP = 10,                /* stride tp * pp */
  MUSTER_ROLE_DCP = 11,               /* decode context: contiguous splits of tp */
  MUSTER_ROLE_SHARED_EXPERTS_TP = 12, /* contiguous splits of tp */
  MUSTER_ROLE_END = 13
};

/* "tp", "moe_ep", ...; "unknown" outside the vocabulary. Pure, any thread. */
static inline const char* muster_role_name(muster_role role) {
  static const char* const names[MUSTER_ROLE_END] = {
      "none",   "world",  "tp", "attn_tp", "attn_cp", "attn_dp",          "moe_ep",
      "moe_tp", "moe_dp", "pp", "dp",      "dcp",     "shared_experts_tp"};
  return role < MUSTER_ROLE_END ? names[role] : "unknown";
}

/* The sizes that a program chooses; the others follow. Zero-initialise, set struct_size.
 * world = dp * pp * tp; attn_dp * attn_cp divides tp; moe_dp * ep divides tp; dcp and
 * shared_experts_tp divide tp. Anything else is refused with the equation that fails. */
typedef struct muster_layout_sizes {
  uint32_t struct_size;
  uint32_t tp;                /* 0: what dp and pp leave of the world */
  uint32_t pp;                /* 0: 1 */
  uint32_t dp;                /* 0: 1 */
  uint32_t attn_dp;           /* 0: 1 */
  uint32_t attn_cp;           /* 0: 1 */
  uint32_t ep;                /* 0: 1 */
  uint32_t moe_dp;            /* 0: 1 */
  uint32_t dcp;               /* 0: 1 */
  uint32_t shared_experts_tp; /* 0: tp */
} muster_layout_sizes;
#define MUSTER_LAYOUT_SIZES_SIZE MUSTER_STRUCT_SIZE(muster_layout_sizes, shared_experts_tp)
MUSTER_ASSERT_STRUCT_SIZE(muster_layout_sizes, MUSTER_LAYOUT_SIZES_SIZE);

/* "tp=8,ep=4,attn_dp=2" into *out, which it replaces whole; the keys are the fields, and moe_ep for
 * ep. INVALID_ARGUMENT names the word that is wrong and the nearest key. Pure, any thread. */
MUSTER_API MUSTER_OWN muster_status* muster_layout_parse(const char* text,
                                                         muster_layout_sizes* out);
/* The group of `role` that `rank` is in, for a world of `world` ranks, in group order; no runtime
 * is needed. ranks has room for `capacity`; *out_count is the group's size also when that is more
 * (then OUT_OF_RANGE). ranks may be NULL with capacity 0. Pure, any thread. */
MUSTER_API MUSTER_OWN muster_status* muster_layout_ranks(const muster_layout_sizes* sizes,
                                                         uint32_t world, muster_role role,
                                                         uint32_t rank, uint32_t* ranks,
                                                         uint32_t capacity, uint32_t* out_count);

/* Zero-initialise, set struct_size. The same on all ranks. */
typedef struct muster_layout_options {
  uint32_t struct_size;
  uint32_t roles; /* bits 1 << role: the groups to make; 0: every role */
  muster_memory memory;
  muster_determinism determinism;
  uint32_t checked; /* these three: as in muster_group_options */
  uint32_t reserved;
  const char* name; /* groups are then named "<name>.<role>"; NULL: "<role>" */
} muster_layout_options;
#define MUSTER_LAYOUT_OPTIONS_SIZE MUSTER_STRUCT_SIZE(muster_layout_options, name)
MUSTER_ASSERT_STRUCT_SIZE(muster_layout_options, MUSTER_LAYOUT_OPTIONS_SIZE);

typedef struct muster_layout muster_layout;

/* Makes the groups of all asked roles, or none on any rank; sizes and options that are wrong or
 * differ are refused on every rank. options NULL: host memory, every role. A layout that is left is
 * destroyed, with a warning, by muster_finalize. [collective over the world] */
MUSTER_API MUSTER_OWN muster_status* muster_layout_create(muster_runtime* runtime,
                                                          const muster_layout_sizes* sizes,
                                                          const muster_layout_options* options,
                                                          MUSTER_OWN muster_layout** out);
/* Destroys its groups. Takes NULL. FAILED_PRECONDITION, and nothing destroyed, while work or plans
 * of one of them are outstanding. [local] */
MUSTER_API MUSTER_OWN muster_status* muster_layout_destroy(MUSTER_OWN muster_layout* layout);
/* The role's group; the layout's, valid as long as it (muster_group_destroy refuses it).
 * FAILED_PRECONDITION when the role was not asked for at creation. [any-thread] */
MUSTER_API MUSTER_OWN muster_status* muster_layout_group(const muster_layout* layout,
                                                         muster_role role, muster_group** out);
/* All sizes, given and derived, and per role its ranks and the role whose communicators it shares,
 * as JSON, "muster.layout/1". Release with muster_text_release. [any-thread] */
MUSTER_API MUSTER_OWN muster_status* muster_layout_describe(const muster_layout* layout,
                                                            MUSTER_OWN char** out_json);

/* ---- calls by role: each is the group's function on the role's group ---- */

#define MUSTER_BY_ROLE(call)                                         \
  muster_group* group = NULL;                                        \
  muster_status* status = muster_layout_group(layout, role, &group); \
  return status != NULL ? status : (call)

static inline MUSTER_OWN muster_status* muster_role_all_reduce(
    const muster_layout* layout, muster_role role, const void* send, void* recv, uint64_t count,
    muster_dtype dtype, muster_redop redop, const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_all_reduce(group, send, recv, count, dtype, redop, options));
}
static inline MUSTER_OWN muster_status* muster_role_fused_all_reduce_rmsnorm(
    const muster_layout* layout, muster_role role, const void* send, void* recv, uint64_t count,
    muster_dtype dtype, const muster_fused_rmsnorm* fused, const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_fused_all_reduce_rmsnorm(group, send, recv, count, dtype, fused, options));
}
static inline MUSTER_OWN muster_status* muster_role_all_gather(const muster_layout* layout,
                                                               muster_role role, const void* send,
                                                               void* recv, uint64_t count,
                                                               muster_dtype dtype,
                                                               const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_all_gather(group, send, recv, count, dtype, options));
}
static inline MUSTER_OWN muster_status* muster_role_all_gather_dim(
    const muster_layout* layout, muster_role role, const void* send, void* recv,
    const uint64_t* shape, uint32_t dims, uint32_t dim, muster_dtype dtype,
    const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_all_gather_dim(group, send, recv, shape, dims, dim, dtype, options));
}
static inline MUSTER_OWN muster_status* muster_role_gather_dim(const muster_layout* layout,
                                                               muster_role role, const void* send,
                                                               void* recv, const uint64_t* shape,
                                                               uint32_t dims, uint32_t dim,
                                                               muster_dtype dtype, uint32_t root,
                                                               const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_gather_dim(group, send, recv, shape, dims, dim, dtype, root, options));
}
static inline MUSTER_OWN muster_status* muster_role_reduce_scatter(
    const muster_layout* layout, muster_role role, const void* send, void* recv, uint64_t count,
    muster_dtype dtype, muster_redop redop, const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_reduce_scatter(group, send, recv, count, dtype, redop, options));
}
static inline MUSTER_OWN muster_status* muster_role_reduce_scatter_dim(
    const muster_layout* layout, muster_role role, const void* send, void* recv,
    const uint64_t* shape, uint32_t dims, uint32_t dim, muster_dtype dtype, muster_redop redop,
    const muster_call_options* options) {
  MUSTER_BY_ROLE(
      muster_reduce_scatter_dim(group, send, recv, shape, dims, dim, dtype, redop, options));
}
static inline MUSTER_OWN muster_status* muster_role_all_to_all(const muster_layout* layout,
                                                               muster_role role, const void* send,
                                                               void* recv, uint64_t count,
                                                               muster_dtype dtype,
                                                               const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_all_to_all(group, send, recv, count, dtype, options));
}
static inline MUSTER_OWN muster_status* muster_role_all_to_allv(
    const muster_layout* layout, muster_role role, const void* send, const uint64_t* send_counts,
    const uint64_t* send_displs, void* recv, const uint64_t* recv_counts,
    const uint64_t* recv_displs, muster_dtype dtype, const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_all_to_allv(group, send, send_counts, send_displs, recv, recv_counts,
                                    recv_displs, dtype, options));
}
static inline MUSTER_OWN muster_status* muster_role_broadcast(const muster_layout* layout,
                                                              muster_role role, const void* send,
                                                              void* recv, uint64_t count,
                                                              muster_dtype dtype, uint32_t root,
                                                              const muster_call_options* options) {
  MUSTER_BY_ROLE(muster_broadcast(group, send, recv, count, dtype, root, options));
}
/* Always on the host channel: a barrier of a device would allocate there. */
static inline MUSTER_OWN muster_status* muster_role_barrier(const muster_layout* layout,
                                                            muster_role role) {
  MUSTER_BY_ROLE(muster_barrier(group));
}
#undef MUSTER_BY_ROLE

/* ---- groups by hand; they never share communicators ---- */

/* One group that this process wants to be a member of. */
typedef struct muster_group_request {
  uint32_t struct_size;
  uint32_t count;                      /* of ranks */
  const uint32_t* ranks;               /* world ranks in group order, the caller among them */
  const muster_group_options* options; /* NULL: the defaults */
} muster_group_request;
#define MUSTER_GROUP_REQUEST_SIZE MUSTER_STRUCT_SIZE(muster_group_request, options)
MUSTER_ASSERT_STRUCT_SIZE(muster_group_request, MUSTER_GROUP_REQUEST_SIZE);

/* Makes all groups that anybody asks for, each process giving its own list in any order (none:
 * count 0). All ranks create in one common order, so lists that cross cannot deadlock. out takes
 * `count` groups in the order of requests; all or none on every rank. A member that does not ask
 * for a group that lists it, or a rank whose list is wrong, is named in the refusal, on every rank.
 * [collective over the world] */
MUSTER_API MUSTER_OWN muster_status* muster_groups_create(muster_runtime* runtime,
                                                          const muster_group_request* requests,
                                                          uint32_t count,
                                                          MUSTER_OWN muster_group** out);

/* The colour of ranks that join no group: *out is NULL there. As MPI_UNDEFINED. */
#define MUSTER_NO_COLOUR UINT32_MAX
/* Ranks of equal colour form a group, ordered by key, then by rank in `group`; all or none on every
 * rank. options NULL: the name of `group`, its memory kind, determinism class and checked mode;
 * those of one colour are equal. The new group does not depend on `group`: destroy them in any
 * order. Comes after calls of `group` that were started. As MPI_Comm_split, ncclCommSplit.
 * [collective] */
MUSTER_API MUSTER_OWN muster_status* muster_group_split(muster_group* group, uint32_t colour,
                                                        uint32_t key,
                                                        const muster_group_options* options,
                                                        MUSTER_OWN muster_group** out);

MUSTER_EXTERN_C_END

#endif
