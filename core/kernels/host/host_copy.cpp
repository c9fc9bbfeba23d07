#include "host_kernels.hpp"
#include "selection.hpp"
#include "streaming.hpp"

namespace muster::kernels {
namespace {

void host_copy(void* dst, const void* src, uint64_t bytes) {
  if (bytes != 0) std::memcpy(dst, src, bytes);
}

void host_copy_streaming(void* dst, const void* src, uint64_t bytes) {
  stream(static_cast<unsigned char*>(dst), static_cast<const unsigned char*>(src), bytes);
  finish_streaming();
}

}  // namespace

muster_host_copy host_copy_kernel(Algorithm algorithm) {
  if (!selected(MUSTER_FAMILY_HOST_COPY, algorithm, MUSTER_DTYPE_NONE)) return nullptr;
  return algorithm == Algorithm::kStreaming ? &host_copy_streaming : &host_copy;
}

}  // namespace muster::kernels
