#include "core/kernels/registry.hpp"

#include <optional>
#include <string_view>

#include "core/kernels/host/host_kernels.hpp"

namespace muster {
namespace {

using kernels::Algorithm;

// The algorithm that a key asks for among those of the built-in kernels; the first when it leaves
// the choice.
std::optional<Algorithm> algorithm_of(const char* name) {
  if (name == nullptr || name == std::string_view(MUSTER_ALGORITHM_CACHED))
    return Algorithm::kCached;
  if (name == std::string_view(MUSTER_ALGORITHM_STREAMING)) return Algorithm::kStreaming;
  return std::nullopt;
}

muster_host_reduce find_host_reduce(Algorithm algorithm, muster_dtype dtype, muster_redop redop) {
  const muster_host_reduce found = kernels::integer_host_reduce(algorithm, dtype, redop);
  return found != nullptr ? found : kernels::floating_host_reduce(algorithm, dtype, redop);
}

muster_host_reduce_pair find_host_reduce_pair(muster_dtype dtype, muster_redop redop) {
  const muster_host_reduce_pair found = kernels::integer_host_reduce_pair(dtype, redop);
  return found != nullptr ? found : kernels::floating_host_reduce_pair(dtype, redop);
}

}  // namespace

muster_host_reduce host_reduce(muster_dtype dtype, muster_redop redop) {
  return find_host_reduce(Algorithm::kCached, dtype, redop);
}

muster_host_rmsnorm host_rmsnorm(muster_dtype dtype) { return kernels::host_rmsnorm_kernel(dtype); }

muster_host_rmsnorm_quant host_rmsnorm_quant(muster_dtype dtype) {
  return kernels::host_rmsnorm_quant_kernel(dtype);
}

muster_kernel_function find_kernel(const muster_kernel_key& key) {
  if (key.family == nullptr) return nullptr;
  if (key.architecture != nullptr && key.architecture != kGenericArchitecture) return nullptr;
  const std::optional<Algorithm> algorithm = algorithm_of(key.algorithm);
  if (!algorithm) return nullptr;
  const std::string_view family = key.family;
  if (family == MUSTER_FAMILY_HOST_REDUCE) {
    return reinterpret_cast<muster_kernel_function>(
        find_host_reduce(*algorithm, key.dtype, key.redop));
  }
  if (family == MUSTER_FAMILY_HOST_REDUCE_PAIR && *algorithm == Algorithm::kCached) {
    return reinterpret_cast<muster_kernel_function>(find_host_reduce_pair(key.dtype, key.redop));
  }
  if (key.redop != MUSTER_REDOP_NONE) return nullptr;
  if (family == MUSTER_FAMILY_HOST_COPY && key.dtype == MUSTER_DTYPE_NONE) {
    return reinterpret_cast<muster_kernel_function>(kernels::host_copy_kernel(*algorithm));
  }
  if (*algorithm != Algorithm::kCached) return nullptr;
  if (family == MUSTER_FAMILY_HOST_RMSNORM) {
    return reinterpret_cast<muster_kernel_function>(host_rmsnorm(key.dtype));
  }
  if (family == MUSTER_FAMILY_HOST_RMSNORM_QUANT) {
    return reinterpret_cast<muster_kernel_function>(host_rmsnorm_quant(key.dtype));
  }
  return nullptr;
}

std::span<const BuiltinFamily> builtin_families() {
  static constexpr BuiltinFamily kFamilies[] = {
      {MUSTER_FAMILY_HOST_REDUCE, MUSTER_ALGORITHM_CACHED},
      {MUSTER_FAMILY_HOST_REDUCE, MUSTER_ALGORITHM_STREAMING},
      {MUSTER_FAMILY_HOST_REDUCE_PAIR, MUSTER_ALGORITHM_CACHED},
      {MUSTER_FAMILY_HOST_COPY, MUSTER_ALGORITHM_CACHED},
      {MUSTER_FAMILY_HOST_COPY, MUSTER_ALGORITHM_STREAMING},
      {MUSTER_FAMILY_HOST_RMSNORM, MUSTER_ALGORITHM_CACHED},
      {MUSTER_FAMILY_HOST_RMSNORM_QUANT, MUSTER_ALGORITHM_CACHED}};
  return kFamilies;
}

}  // namespace muster
