/* Interface "muster.kernels/1": a pack of kernel variants, and the calling contracts of the
 * families.
 *
 * A variant is one kernel for one key. Its family names a versioned calling contract that stands in
 * this header; the runtime picks among ready variants of a key by score, and hands the function to
 * whoever asks (muster_host.kernel). A pack is an ordinary plugin dropped into the plugin
 * directories. */
#ifndef MUSTER_KERNELS_H
#define MUSTER_KERNELS_H

#include "muster/base.h"
#include "muster/status.h"
#include "muster/types.h"

/* Any kernel; cast to the type of its family's contract. */
typedef void (*muster_kernel_function)(void);

/* Part of other structs, so it never grows. */
typedef struct muster_kernel_key {
  uint32_t struct_size;
  muster_dtype dtype;
  muster_redop redop;
  uint32_t world_size;      /* 0: any */
  const char* family;       /* MUSTER_FAMILY_..., or a name of a device plugin's own */
  const char* algorithm;    /* NULL: the best; else exactly this one */
  const char* architecture; /* NULL: this machine; else e.g. "x86-64-v4", "native", "sm_90" */
} muster_kernel_key;
#define MUSTER_KERNEL_KEY_SIZE MUSTER_STRUCT_SIZE(muster_kernel_key, architecture)
MUSTER_ASSERT_STRUCT_SIZE(muster_kernel_key, MUSTER_KERNEL_KEY_SIZE);

/* The families of host kernels. Their results are equal, bit for bit, on every instruction set and
 * in every algorithm (no contraction into fused multiply-add, no flushing of subnormals); only
 * which NaN stands for a NaN is left open. A variant that differs is not used.
 *
 * Algorithms of the runtime's own variants of host_reduce/1 and host_copy/1:
 *   cached     plain stores: the result is in the caches of the core that computed it
 *   streaming  where dst allows it, lines are written whole and around the caches: for results that
 *              do not fit them. Ends with a store fence, so that whoever is told afterwards sees
 * all of it. dst may be one of the sources here too. NULL gives the best by score, which is cached
 * among these. */
#define MUSTER_ALGORITHM_CACHED "cached"
#define MUSTER_ALGORITHM_STREAMING "streaming"

#define MUSTER_FAMILY_HOST_REDUCE "host_reduce/1"
/* dst[i] = round(combine over s of sources[s][i]), for i < count.
 * Sources are combined in the order 0, 1, ... n-1 whatever the position or count (one reduction
 * order everywhere); f16 and bf16 combine in f32 and are rounded once. dst may be any one of the
 * sources or overlap none. n >= 1. `scalar` (sum only, one element, or NULL) multiplies every
 * source first; `divisor` (avg; 0 or 1: none) divides at the end, integers truncate toward zero. n,
 * the number of sources, may be below the divisor. Pure, any thread, no alignment asked. */
typedef void (*muster_host_reduce)(void* dst, const void* const* sources, uint32_t n,
                                   uint64_t count, const void* scalar, uint64_t divisor);

#define MUSTER_FAMILY_HOST_REDUCE_PAIR "host_reduce_pair/1"
/* As host_reduce/1 of the two sources `first` and `second`, and every result is written to two
 * places: for a rank that keeps what it also shows. dst and also may each be one of the sources,
 * not the same one; they overlap nothing else. Where the lines of one source are far from this
 * core, let dst be that source: it is what is asked for ahead. Handed out only where its score is
 * not below that of the host_reduce/1 of the same dtype and operation: a pack that has a faster one
 * of those should have this, too. Pure, any thread, no alignment asked. */
typedef void (*muster_host_reduce_pair)(void* dst, void* also, const void* first,
                                        const void* second, uint64_t count, uint64_t divisor);

#define MUSTER_FAMILY_HOST_COPY "host_copy/1"
/* bytes bytes from src to dst, which are equal or do not overlap. dtype and
 * redop of its key are 0 (MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE). Pure, any thread, no alignment
 * asked. */
typedef void (*muster_host_copy)(void* dst, const void* src, uint64_t bytes);

#define MUSTER_FAMILY_HOST_RMSNORM "host_rmsnorm/1"
/* For each of `rows` rows of `hidden` elements: r = x + residual (residual
 * NULL: r = x); residual_out = r when not NULL; out = r / sqrt(mean(r*r) + epsilon) * weight. f32
 * inside, one rounding per output. The squares of a row are added in 16 partial sums, element i in
 * number i % 16, and those by halves: 8 to 15 onto 0 to 7, then 4 to 7 onto 0 to 3, and so on. x
 * and out may be the same, residual and residual_out may be the same. */
typedef void (*muster_host_rmsnorm)(void* out, void* residual_out, const void* x,
                                    const void* residual, const void* weight, uint64_t rows,
                                    uint64_t hidden, double epsilon);

#define MUSTER_FAMILY_HOST_RMSNORM_QUANT "host_rmsnorm_quant/1"
/* As host_rmsnorm/1, with the output quantised per `group`
 * consecutive elements of a row; group divides hidden. With v the normed values in f32 (not rounded
 * to dtype in between):
 *   scale = max|v| / 448 over the finite v of the group; 1 where that is not a normal f32, as for a
 *           group of zeros
 *   out   = f8e4m3(v / scale), rounded once; NaN for a v that is NaN or infinite
 *   scales[row * (hidden / group) + g] = scale, always finite and positive
 * so that v is out * scale up to the rounding. out overlaps nothing; residual and residual_out may
 * be the same. key.dtype is that of x; any alignment. */
typedef void (*muster_host_rmsnorm_quant)(uint8_t* out, float* scales, void* residual_out,
                                          const void* x, const void* residual, const void* weight,
                                          uint64_t rows, uint64_t hidden, uint64_t group,
                                          double epsilon);

/* One variant of a pack. digest covers sources, flags and toolchain: two variants of different
 * digests are different. Of an image it is "SOURCE/TOOLCHAIN", the two words of its muster_variant
 * (variants.h). */
typedef struct muster_kernel_variant {
  uint32_t struct_size;
  int32_t score; /* -100..100, among variants of one key */
  muster_kernel_key key;
  const char* digest;
  muster_kernel_function function; /* host families */
  const void* image; /* device families: the cubin or code object; NULL for host ones */
  uint64_t image_bytes;
} muster_kernel_variant;
#define MUSTER_KERNEL_VARIANT_SIZE MUSTER_STRUCT_SIZE(muster_kernel_variant, image_bytes)
MUSTER_ASSERT_STRUCT_SIZE(muster_kernel_variant, MUSTER_KERNEL_VARIANT_SIZE);

struct muster_instance;

#define MUSTER_KERNELS_INTERFACE "muster.kernels/1"
typedef struct muster_kernels {
  uint32_t struct_size;
  uint32_t reserved;
  /* How many variants the pack has for this machine. [any-thread] [local] [no-block] */
  uint32_t (*variant_count)(struct muster_instance* instance);
  /* One of them; valid until the process ends. [any-thread] [local] [no-block] */
  const muster_kernel_variant* (*variant)(struct muster_instance* instance, uint32_t index);
} muster_kernels;
#define MUSTER_KERNELS_SIZE MUSTER_STRUCT_SIZE(muster_kernels, variant)
MUSTER_ASSERT_STRUCT_SIZE(muster_kernels, MUSTER_KERNELS_SIZE);

#endif
