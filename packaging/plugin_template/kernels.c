/* A pack of kernels: one variant of family host_reduce/1, the sum of f32. The calling contracts of
 * the families stand in muster/kernels.h; the runtime compares each variant with its built-in
 * kernel, bit for bit, before it uses any. */
#include "muster/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "muster/entry.h"

/* Sources are combined in the order 0, 1, ... n-1, at any alignment; dst may be one of them. */
static void sum_f32(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                    const void* scalar, uint64_t divisor) {
  float factor = 1;
  (void)divisor; /* of averages only */
  if (scalar != NULL) memcpy(&factor, scalar, sizeof(factor));
  for (uint64_t i = 0; i < count; ++i) {
    float sum = 0;
    for (uint32_t s = 0; s < n; ++s) {
      float value;
      memcpy(&value, (const char*)sources[s] + i * sizeof(value), sizeof(value));
      if (scalar != NULL) value = value * factor;
      sum = s == 0 ? value : sum + value;
    }
    memcpy((char*)dst + i * sizeof(sum), &sum, sizeof(sum));
  }
}

/* The highest score of a key serves: the built-in kernels have 0, muster's packs 20 to 40, what
 * `muster precompile` builds 50. */
static const muster_kernel_variant variants[] = {
    {MUSTER_KERNEL_VARIANT_SIZE,
     60,
     {MUSTER_KERNEL_KEY_SIZE, MUSTER_F32, MUSTER_SUM, 0, MUSTER_FAMILY_HOST_REDUCE,
      MUSTER_ALGORITHM_CACHED, "@NAME@"},
     KERNELS_DIGEST,
     (muster_kernel_function)sum_f32,
     NULL,
     0},
};

/* Where a variant needs an instruction that this processor may lack, say fewer here: the answer
 * itself runs on every machine. */
static uint32_t variant_count(struct muster_instance* instance) {
  (void)instance;
  return sizeof(variants) / sizeof(variants[0]);
}

static const muster_kernel_variant* variant(struct muster_instance* instance, uint32_t index) {
  return index < variant_count(instance) ? &variants[index] : NULL;
}

static const muster_kernels table = {MUSTER_KERNELS_SIZE, 0, variant_count, variant};

/* One per runtime that opens the pack. There is nothing in it: the kernels are the same for all. */
struct muster_instance {
  char nothing;
};

static muster_status* open_pack(const muster_host* host, muster_instance** out) {
  muster_instance* const instance = malloc(sizeof(*instance));
  if (instance == NULL) {
    return host->status_make(host, MUSTER_RESOURCE_EXHAUSTED, "out of memory", NULL);
  }
  *out = instance;
  return NULL;
}

static void close_pack(muster_instance* instance) { free(instance); }

static const void* get_interface(muster_instance* instance, const char* name) {
  (void)instance;
  return strcmp(name, MUSTER_KERNELS_INTERFACE) == 0 ? &table : NULL;
}

extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
const muster_entry muster_plugin_entry = {MUSTER_PLUGIN_HEAD,
                                          "@NAME@_kernels",
                                          "0.1.0",
                                          "the authors of @NAME@",
                                          MUSTER_BUILD_TAG,
                                          MUSTER_KERNELS_INTERFACE,
                                          "",
                                          "",
                                          open_pack,
                                          close_pack,
                                          get_interface};
