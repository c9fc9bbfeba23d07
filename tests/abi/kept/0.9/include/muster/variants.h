/* Kernel variants that a plugin builds on the machine, for devices: what there is to build, said by
 * the plugin ("muster.variants/1"), and where what was built is kept, given by the runtime
 * ("muster.images/1", through muster_host.get_interface).
 *
 * An image (a cubin, a code object) is known by the key of its variant and by the digest of what it
 * was made of. The runtime keeps images on this machine and finds them in packs (kernels.h); it
 * makes sure that one key is built once however many processes ask, keeps the log of a build that
 * failed, builds ahead in processes of its own (`muster precompile`, [kernels] build), and never
 * gives an image of another source. As Triton's or CUDA's compute cache, with packs. */
#ifndef MUSTER_VARIANTS_H
#define MUSTER_VARIANTS_H

#include "muster/base.h"
#include "muster/host.h"
#include "muster/kernels.h"
#include "muster/status.h"

struct muster_instance;

/* Words have no spaces; each, and source and toolchain together, fewer than 63 characters. */
typedef struct muster_variant {
  uint32_t struct_size;
  uint32_t reserved;
  muster_kernel_key key; /* family, algorithm and architecture are set: "sm_90" */
  const char* source;    /* a word: digest of sources and flags */
  const char* toolchain; /* a word: "nvrtc-13.0"; "" where it is missing: nothing can be built */
} muster_variant;
#define MUSTER_VARIANT_SIZE MUSTER_STRUCT_SIZE(muster_variant, toolchain)
MUSTER_ASSERT_STRUCT_SIZE(muster_variant, MUSTER_VARIANT_SIZE);

typedef struct muster_variant_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* One variant; copied. [any-thread] [local] [no-block] */
  void (*put)(void* context, const muster_variant* variant);
} muster_variant_sink;
#define MUSTER_VARIANT_SINK_SIZE MUSTER_STRUCT_SIZE(muster_variant_sink, put)
MUSTER_ASSERT_STRUCT_SIZE(muster_variant_sink, MUSTER_VARIANT_SINK_SIZE);

/* Where an image goes, or what a tool said. Both copied. */
typedef struct muster_image_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* [any-thread] [local] [no-block] */
  void (*image)(void* context, const void* bytes, uint64_t count);
  /* [any-thread] [local] [no-block] */
  void (*text)(void* context, const char* text);
} muster_image_sink;
#define MUSTER_IMAGE_SINK_SIZE MUSTER_STRUCT_SIZE(muster_image_sink, text)
MUSTER_ASSERT_STRUCT_SIZE(muster_image_sink, MUSTER_IMAGE_SINK_SIZE);

/* ---- what a plugin gives ---- */

#define MUSTER_VARIANTS_INTERFACE "muster.variants/1"
typedef struct muster_variants {
  uint32_t struct_size;
  uint32_t reserved;
  /* Puts, as text, the architectures of this machine's devices, one by one; none where there is no
   * device. Asked in a process of its own. [setup-thread] [local] */
  MUSTER_OWN muster_status* (*architectures)(struct muster_instance* instance,
                                             const muster_image_sink* sink);
  /* Puts every variant for one architecture, which need not be that of a device here. Needs no
   * device. [any-thread] [local] */
  MUSTER_OWN muster_status* (*list)(struct muster_instance* instance, const char* architecture,
                                    const muster_variant_sink* sink);
  /* Makes the image of a variant that `list` gave: puts it once, and what the tools said. Slow;
   * needs no device. What was said is kept when it fails. [any-thread] [local] */
  MUSTER_OWN muster_status* (*build)(struct muster_instance* instance,
                                     const muster_variant* variant, const muster_image_sink* sink);
} muster_variants;
#define MUSTER_VARIANTS_SIZE MUSTER_STRUCT_SIZE(muster_variants, build)
MUSTER_ASSERT_STRUCT_SIZE(muster_variants, MUSTER_VARIANTS_SIZE);

/* ---- what the runtime gives ---- */

typedef uint32_t muster_image_state;
enum {
  MUSTER_IMAGE_MISSING = 0,  /* not here; the configuration leaves building to others */
  MUSTER_IMAGE_READY = 1,    /* kept on this machine, or in a pack */
  MUSTER_IMAGE_BUILDABLE = 2 /* not here; `get` builds it */
};

#define MUSTER_IMAGES_INTERFACE "muster.images/1"
typedef struct muster_images {
  uint32_t struct_size;
  uint32_t reserved;
  /* What `get` would do: for the facts that ranks exchange. Without a toolchain an image of the
   * same source by any will do. Reads the disk. [any-thread] [local] */
  muster_image_state (*state)(const muster_host* host, const muster_variant* variant);
  /* Puts the image; builds it before, through the plugin's own `build`, where the state is
   * BUILDABLE: may take long, so never in a call. UNAVAILABLE, with cause and remedy, when there is
   * none. [any-thread] [local] */
  MUSTER_OWN muster_status* (*get)(const muster_host* host, const muster_variant* variant,
                                   const muster_image_sink* sink);
} muster_images;
#define MUSTER_IMAGES_SIZE MUSTER_STRUCT_SIZE(muster_images, get)
MUSTER_ASSERT_STRUCT_SIZE(muster_images, MUSTER_IMAGES_SIZE);

#endif
