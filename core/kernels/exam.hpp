// The known-answer test of kernel variants: the same elements through the variant and through the
// built-in kernel of its key; one bit that differs (any NaN for any other excepted) and the variant
// is not used.
//
// Runs foreign code: in the child that probes, in `muster precompile`, or in the program's own
// process where the configuration says so. Any thread.
#ifndef MUSTER_CORE_KERNELS_EXAM_HPP
#define MUSTER_CORE_KERNELS_EXAM_HPP

#include <string>

#include "core/kernels/pack_report.hpp"
#include "muster/kernels.h"

namespace muster {

// "host_reduce/1 cached f32 sum x86-64-v3".
std::string key_text(const muster_kernel_key& key);

// "" when the variant gives what the built-in kernel of its key gives; else the first wrong
// element, or why it cannot be tested.
std::string examine_variant(const muster_kernel_variant& variant);

// A variant of a device family: bytes for a driver. What is in them is examined by the backend that
// loads them, in the known-answer test of its groups.
bool is_image(const muster_kernel_variant& variant);
// "cuda_peer-1.reductions.bf16.8.sm_90 <source>/<toolchain>": the name of its key
// (variant_build.hpp) and its digest.
std::string image_line(const muster_kernel_variant& variant);

// Every variant of a pack.
PackReport examine_pack(const muster_kernels& table, muster_instance* instance);

}  // namespace muster

#endif
