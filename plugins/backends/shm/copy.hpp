// Moving bytes: memcpy, but that empty buffers may be NULL; and around the caches for what would
// push everything else out of them.
#ifndef MUSTER_PLUGINS_SHM_COPY_HPP
#define MUSTER_PLUGINS_SHM_COPY_HPP

#include <cstdint>
#include <cstring>

#include "muster/kernels.h"
#include "muster/plugin.hpp"

namespace muster::shm {

inline void copy_bytes(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}
// The runtime's copy kernels; plain memcpy where it has none.
class CopyTable {
 public:
  // stream_bytes: results of at least this size do not stay in the caches anyhow.
  void resolve(const plugin::Host& host, uint64_t stream_bytes) {
    stream_bytes_ = stream_bytes;
    streaming_ = host.kernel<muster_host_copy>(MUSTER_FAMILY_HOST_COPY, MUSTER_DTYPE_NONE,
                                               MUSTER_REDOP_NONE, MUSTER_ALGORITHM_STREAMING);
    if (streaming_ == nullptr) stream_bytes_ = UINT64_MAX;
  }
  // A part of a result of `whole` bytes.
  void result(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (whole >= stream_bytes_) {
      streaming_(to, from, bytes);
    } else {
      copy_bytes(to, from, bytes);
    }
  }
  // This rank's own part of it. In place there is nothing to do.
  void own(void* to, const void* from, uint64_t bytes, uint64_t whole) const {
    if (to != from && bytes != 0) result(to, from, bytes, whole);
  }

 private:
  muster_host_copy streaming_ = nullptr;
  uint64_t stream_bytes_ = UINT64_MAX;
};

}  // namespace muster::shm

#endif
