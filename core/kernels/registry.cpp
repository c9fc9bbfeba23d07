#include "core/kernels/registry.hpp"

#include <string_view>

#include "core/kernels/host_reduce.hpp"
#include "core/kernels/host_rmsnorm.hpp"

namespace muster {
namespace {

// What the built-in kernels answer to when a key asks for a particular algorithm or architecture.
constexpr std::string_view kGeneric = "generic";

bool wants_generic(const char* name) { return name == nullptr || name == kGeneric; }

}  // namespace

muster_host_reduce host_reduce(muster_dtype dtype, muster_redop redop) {
  const muster_host_reduce found = kernels::integer_host_reduce(dtype, redop);
  return found != nullptr ? found : kernels::floating_host_reduce(dtype, redop);
}

muster_host_rmsnorm host_rmsnorm(muster_dtype dtype) {
  return kernels::generic_host_rmsnorm(dtype);
}

muster_host_rmsnorm_quant host_rmsnorm_quant(muster_dtype dtype) {
  return kernels::generic_host_rmsnorm_quant(dtype);
}

muster_kernel_function find_kernel(const muster_kernel_key& key) {
  if (key.family == nullptr) return nullptr;
  if (!wants_generic(key.algorithm) || !wants_generic(key.architecture)) return nullptr;
  const std::string_view family = key.family;
  if (family == "host_reduce/1") {
    return reinterpret_cast<muster_kernel_function>(host_reduce(key.dtype, key.redop));
  }
  if (family == "host_rmsnorm/1" && key.redop == MUSTER_REDOP_NONE) {
    return reinterpret_cast<muster_kernel_function>(host_rmsnorm(key.dtype));
  }
  if (family == "host_rmsnorm_quant/1" && key.redop == MUSTER_REDOP_NONE) {
    return reinterpret_cast<muster_kernel_function>(host_rmsnorm_quant(key.dtype));
  }
  return nullptr;
}

}  // namespace muster
