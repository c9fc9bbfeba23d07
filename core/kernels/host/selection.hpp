// Which of the kernels a compilation holds: all of them, or those of one family, algorithm and
// dtype that MUSTER_KERNELS_FAMILY, MUSTER_KERNELS_ALGORITHM and MUSTER_KERNELS_DTYPE name
// (`muster precompile`). Private to the host kernels.
#ifndef MUSTER_CORE_KERNELS_HOST_SELECTION_HPP
#define MUSTER_CORE_KERNELS_HOST_SELECTION_HPP

#include <string_view>

#include "host_kernels.hpp"

namespace muster::kernels {

constexpr std::string_view algorithm_name(Algorithm algorithm) {
  return algorithm == Algorithm::kStreaming ? MUSTER_ALGORITHM_STREAMING : MUSTER_ALGORITHM_CACHED;
}

constexpr bool selected([[maybe_unused]] std::string_view family,
                        [[maybe_unused]] Algorithm algorithm, [[maybe_unused]] muster_dtype dtype) {
#if defined(MUSTER_KERNELS_FAMILY)
  return family == MUSTER_KERNELS_FAMILY && dtype == MUSTER_KERNELS_DTYPE &&
         algorithm_name(algorithm) == MUSTER_KERNELS_ALGORITHM;
#else
  return true;
#endif
}

}  // namespace muster::kernels

#endif
