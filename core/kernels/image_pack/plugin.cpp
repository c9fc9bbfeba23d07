// A pack of images as a plugin with muster.kernels/1: compiled by `muster precompile --pack`, which
// defines MUSTER_VERSION and MUSTER_PACK_ID and writes images.inc, a line for each:
//
//   IMAGE(number, file, dtype, redop, world size, family, algorithm, architecture, digest)
#include <cstring>

#include "muster/entry.h"

// Each file becomes read-only data between two symbols.
#define IMAGE(n, file, dtype, redop, ranks, family, algorithm, architecture, digest)          \
  asm(".pushsection .rodata\n"                                                                \
      ".balign 64\n"                                                                          \
      ".globl muster_image_" #n "\n.hidden muster_image_" #n                                  \
      "\n"                                                                                    \
      ".globl muster_image_end_" #n "\n.hidden muster_image_end_" #n                          \
      "\n"                                                                                    \
      "muster_image_" #n ":\n.incbin \"" file "\"\nmuster_image_end_" #n ":\n.popsection\n"); \
  extern "C" __attribute__((visibility("hidden"))) const char muster_image_##n[];             \
  extern "C" __attribute__((visibility("hidden"))) const char muster_image_end_##n[];
#include "images.inc"
#undef IMAGE

namespace {

const muster_kernel_variant kVariants[] = {
#define IMAGE(n, file, dtype, redop, ranks, family, algorithm, architecture, digest) \
  {MUSTER_KERNEL_VARIANT_SIZE,                                                       \
   0,                                                                                \
   {MUSTER_KERNEL_KEY_SIZE, dtype, redop, ranks, family, algorithm, architecture},   \
   digest,                                                                           \
   nullptr,                                                                          \
   muster_image_##n,                                                                 \
   0},
#include "images.inc"
#undef IMAGE
};

// Where each ends; a variant's size is known when the file is loaded.
const char* const kEnds[] = {
#define IMAGE(n, file, dtype, redop, ranks, family, algorithm, architecture, digest) \
  muster_image_end_##n,
#include "images.inc"
#undef IMAGE
};

constexpr uint32_t kCount = sizeof(kEnds) / sizeof(kEnds[0]);

const muster_kernel_variant* variant(muster_instance*, uint32_t index) {
  static const struct Sized {
    muster_kernel_variant all[kCount];
    Sized() {
      for (uint32_t i = 0; i < kCount; ++i) {
        std::memcpy(&all[i], &kVariants[i], sizeof(all[i]));
        all[i].image_bytes =
            static_cast<uint64_t>(kEnds[i] - static_cast<const char*>(kVariants[i].image));
      }
    }
  } sized;
  return index < kCount ? &sized.all[index] : nullptr;
}

constexpr muster_kernels kTable = {MUSTER_KERNELS_SIZE, 0,
                                   [](muster_instance*) -> uint32_t { return kCount; }, variant};

muster_status* open(const muster_host*, muster_instance** out) {
  static char instance;
  *out = reinterpret_cast<muster_instance*>(&instance);
  return nullptr;
}

void close(muster_instance*) {}

const void* get_interface(muster_instance*, const char* name) {
  return std::strcmp(name, MUSTER_KERNELS_INTERFACE) == 0 ? &kTable : nullptr;
}

}  // namespace

extern "C" {
extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
const muster_entry muster_plugin_entry = {MUSTER_PLUGIN_HEAD,
                                          MUSTER_PACK_ID,
                                          MUSTER_VERSION,
                                          "muster",
                                          MUSTER_BUILD_TAG,
                                          MUSTER_KERNELS_INTERFACE,
                                          "",
                                          "",
                                          open,
                                          close,
                                          get_interface};
}
