/* A pack of somebody else's: one kernel, the sum of f32, by the ABI headers alone. PACK_WRONG makes
 * it forget the last source of three or more. */
#include <string.h>

#include "muster/entry.h"
#include "muster/kernels.h"

static void sum_f32(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                    const void* scalar, uint64_t divisor) {
  float factor = 1;
  (void)divisor;
  if (scalar != NULL) memcpy(&factor, scalar, sizeof(factor));
#ifdef PACK_WRONG
  if (n > 2) --n;
#endif
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

static const muster_kernel_variant only = {MUSTER_KERNEL_VARIANT_SIZE,
                                           90,
                                           {MUSTER_KERNEL_KEY_SIZE, MUSTER_F32, MUSTER_SUM, 0,
                                            MUSTER_FAMILY_HOST_REDUCE, "cached", "acme-1"},
                                           "0123456789abcdef",
                                           (muster_kernel_function)sum_f32,
                                           NULL,
                                           0};

static uint32_t variant_count(struct muster_instance* instance) {
  (void)instance;
  return 1;
}

static const muster_kernel_variant* variant(struct muster_instance* instance, uint32_t index) {
  (void)instance;
  return index == 0 ? &only : NULL;
}

static const muster_kernels table = {MUSTER_KERNELS_SIZE, 0, variant_count, variant};

static muster_status* open_pack(const muster_host* host, muster_instance** out) {
  static char instance;
  (void)host;
  *out = (muster_instance*)&instance;
  return NULL;
}

static void close_pack(muster_instance* instance) { (void)instance; }

static const void* get_interface(muster_instance* instance, const char* name) {
  (void)instance;
  return strcmp(name, MUSTER_KERNELS_INTERFACE) == 0 ? &table : NULL;
}

extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
const muster_entry muster_plugin_entry = {MUSTER_PLUGIN_HEAD,
                                          PACK_ID,
                                          "1.0",
                                          "Acme",
                                          MUSTER_BUILD_TAG,
                                          MUSTER_KERNELS_INTERFACE,
                                          "",
                                          "",
                                          open_pack,
                                          close_pack,
                                          get_interface};
