// Memory that NCCL knows on all ranks: its symmetric windows (2.27 on), which let kernels read and
// write the peers' buffers in place.
//
// Collective. A window needs memory made of physical pieces with a file descriptor, as
// muster_mem_alloc and ncclMemAlloc give. Thread rule: group-serial.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_WINDOWS_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_WINDOWS_HPP

#include <cstdint>

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/life.hpp"

namespace muster::nccl {

// Throws UNAVAILABLE, with the cause, on every rank when the memory of one cannot be registered.
Window register_window(const plugin::Group& group, const std::shared_ptr<Life>& life, void* pointer,
                       uint64_t bytes);
void deregister_window(const plugin::Group& group, const std::shared_ptr<Life>& life,
                       Window window) noexcept;

}  // namespace muster::nccl

#endif
