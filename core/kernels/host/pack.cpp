// A pack: the kernels of this folder, compiled for one instruction set, as a plugin with
// muster.kernels/1. This file is compiled for every machine, so that it can be asked on any.
//
// The build says, for a shipped pack as for a file that `muster precompile` makes:
//   MUSTER_VERSION, MUSTER_PACK_ID, MUSTER_PACK_ARCHITECTURE, MUSTER_PACK_DIGEST  texts
//   MUSTER_PACK_SCORE     of the cached kernels; the streaming ones are 100 lower, so that they are
//                         got by their name only
//   MUSTER_PACK_REQUIRES  what the processor must have, by its name in __builtin_cpu_supports;
//                         left out where the kernels were built for the very processor
#include <cstring>
#include <initializer_list>

#include "host_kernels.hpp"
#include "muster/entry.h"

namespace muster::kernels {
namespace {

constexpr uint32_t kMostVariants = 512;

bool runs_here() {
#if defined(MUSTER_PACK_REQUIRES)
  return __builtin_cpu_supports(MUSTER_PACK_REQUIRES) != 0;
#else
  return true;
#endif
}

struct Pack {
  uint32_t count = 0;
  muster_kernel_variant variants[kMostVariants];

  Pack() {
    if (!runs_here()) return;
    for (const Algorithm algorithm : {Algorithm::kCached, Algorithm::kStreaming}) {
      for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
        for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
          const muster_host_reduce whole = integer_host_reduce(algorithm, dtype, redop);
          add(MUSTER_FAMILY_HOST_REDUCE, algorithm, dtype, redop,
              whole != nullptr ? whole : floating_host_reduce(algorithm, dtype, redop));
        }
      }
      add(MUSTER_FAMILY_HOST_COPY, algorithm, MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE,
          host_copy_kernel(algorithm));
    }
    for (muster_dtype dtype = MUSTER_I8; dtype <= MUSTER_F64; ++dtype) {
      for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
        const muster_host_reduce_pair whole = integer_host_reduce_pair(dtype, redop);
        add(MUSTER_FAMILY_HOST_REDUCE_PAIR, Algorithm::kCached, dtype, redop,
            whole != nullptr ? whole : floating_host_reduce_pair(dtype, redop));
      }
      add(MUSTER_FAMILY_HOST_RMSNORM, Algorithm::kCached, dtype, MUSTER_REDOP_NONE,
          host_rmsnorm_kernel(dtype));
      add(MUSTER_FAMILY_HOST_RMSNORM_QUANT, Algorithm::kCached, dtype, MUSTER_REDOP_NONE,
          host_rmsnorm_quant_kernel(dtype));
    }
  }

  template <typename Function>
  void add(const char* family, Algorithm algorithm, muster_dtype dtype, muster_redop redop,
           Function* function) {
    if (function == nullptr || count == kMostVariants) return;
    const bool streaming = algorithm == Algorithm::kStreaming;
    muster_kernel_variant& variant = variants[count++];
    std::memset(&variant, 0, sizeof(variant));
    variant.struct_size = MUSTER_KERNEL_VARIANT_SIZE;
    variant.score = streaming ? MUSTER_PACK_SCORE - 100 : MUSTER_PACK_SCORE;
    variant.key.struct_size = MUSTER_KERNEL_KEY_SIZE;
    variant.key.dtype = dtype;
    variant.key.redop = redop;
    variant.key.family = family;
    variant.key.algorithm = streaming ? MUSTER_ALGORITHM_STREAMING : MUSTER_ALGORITHM_CACHED;
    variant.key.architecture = MUSTER_PACK_ARCHITECTURE;
    variant.digest = MUSTER_PACK_DIGEST;
    variant.function = reinterpret_cast<muster_kernel_function>(function);
  }
};

const Pack& pack() {
  static const Pack all;
  return all;
}

uint32_t variant_count(muster_instance*) { return pack().count; }

const muster_kernel_variant* variant(muster_instance*, uint32_t index) {
  return index < pack().count ? &pack().variants[index] : nullptr;
}

constexpr muster_kernels kTable = {MUSTER_KERNELS_SIZE, 0, variant_count, variant};

// There is nothing in an instance: the kernels are the same for every runtime of the process.
muster_status* open(const muster_host* host, muster_instance** out) {
  static char instance;
  if (!runs_here()) {
    host->record(host, MUSTER_PACK_ARCHITECTURE, "left out",
                 "the processor does not have the instruction set " MUSTER_PACK_ARCHITECTURE);
  }
  *out = reinterpret_cast<muster_instance*>(&instance);
  return nullptr;
}

void close(muster_instance*) {}

const void* get_interface(muster_instance*, const char* name) {
  return std::strcmp(name, MUSTER_KERNELS_INTERFACE) == 0 ? &kTable : nullptr;
}

}  // namespace
}  // namespace muster::kernels

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
                                          muster::kernels::open,
                                          muster::kernels::close,
                                          muster::kernels::get_interface};
}
