// The variants that a plugin declares (interface muster.variants/1) and their builds into an
// ImageStore: the core's side of muster/variants.h.
//
// Any thread; a build takes as long as the plugin's toolchain.
#ifndef MUSTER_CORE_KERNELS_VARIANT_BUILD_HPP
#define MUSTER_CORE_KERNELS_VARIANT_BUILD_HPP

#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/kernels/build_workers.hpp"
#include "core/kernels/image_store.hpp"
#include "muster/variants.h"

namespace muster {

// A muster_variant that owns its words.
struct DeclaredVariant {
  std::string family;
  std::string algorithm;
  std::string architecture;
  muster_dtype dtype = MUSTER_DTYPE_NONE;
  muster_redop redop = MUSTER_REDOP_NONE;
  uint32_t world_size = 0;
  std::string source;
  std::string toolchain;

  // "cuda_peer-1.reductions.bf16.8.sm_90": no two keys have one name.
  std::string name() const;
  ImageKey image_key() const { return {name(), source, toolchain}; }
  // Valid as long as this.
  muster_variant view() const;
};

// INTERNAL when a word is missing or no word.
Result<DeclaredVariant> read_variant(const muster_variant& variant);

// One plugin's table and instance.
struct VariantBuilder {
  const muster_variants* table = nullptr;
  muster_instance* instance = nullptr;

  // Of the devices here. May leave the driver initialised: for processes that end soon.
  Result<std::vector<std::string>> architectures() const;
  Result<std::vector<DeclaredVariant>> list(const std::string& architecture) const;
  // Through the plugin; a failure's status leads the log.
  MadeImage build(const DeclaredVariant& variant) const;
};

// What a worker of `muster precompile` does for one variant.
BuildOutcome build_variant(const ImageStore& store, const VariantBuilder& builder,
                           const DeclaredVariant& variant);

}  // namespace muster

#endif
