// memcpy that takes nothing from, and to, nowhere (empty buffers may be NULL).
#ifndef MUSTER_PLUGINS_SHM_COPY_HPP
#define MUSTER_PLUGINS_SHM_COPY_HPP

#include <cstdint>
#include <cstring>

namespace muster::shm {

inline void copy_bytes(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}

}  // namespace muster::shm

#endif
