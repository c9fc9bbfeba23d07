// Kernels by key: what muster_host.kernel and composition ask for. Resolve once per group, never on
// the path of a call. Families and their contracts: muster/kernels.h. Thread rule: any thread.
#ifndef MUSTER_CORE_KERNELS_REGISTRY_HPP
#define MUSTER_CORE_KERNELS_REGISTRY_HPP

#include <span>
#include <string_view>

#include "muster/kernels.h"

namespace muster {

// What a key asks of the built-in kernels: "generic" is the architecture that every machine has.
inline constexpr std::string_view kGenericArchitecture = "generic";

// The built-in kernels: host_reduce/1 for every dtype and the reduce operations defined for it, and
// host_copy/1, both "cached" and "streaming"; host_reduce_pair/1 for the same, and host_rmsnorm/1
// and host_rmsnorm_quant/1 for f16, bf16, f32, "cached" only. NULL for a key without one.
muster_kernel_function find_kernel(const muster_kernel_key& key);

// The families that the built-in kernels belong to, each with each of its algorithms.
struct BuiltinFamily {
  const char* name;
  const char* algorithm;
};
std::span<const BuiltinFamily> builtin_families();

// Typed short cuts.
muster_host_reduce host_reduce(muster_dtype dtype, muster_redop redop);
muster_host_rmsnorm host_rmsnorm(muster_dtype dtype);
muster_host_rmsnorm_quant host_rmsnorm_quant(muster_dtype dtype);

}  // namespace muster

#endif
