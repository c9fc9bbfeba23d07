// Host memory that other processes of this machine can map: what muster_mem_alloc gives, and what
// muster.host_memory/1 tells plugins about it.
//
// Each piece is a sealed memory file of its own, mapped shared; its pages are taken when they are
// touched first. Which piece backs an address is known process-wide, since memory that one group
// allocated may be registered with another group, of another runtime. Thread rule: any thread.
// Lifetime: the mapping is the object's; the file goes with the last process that maps it. As
// MPI_Win_allocate_shared's memory.
#ifndef MUSTER_CORE_QUERY_HOST_MEMORY_HPP
#define MUSTER_CORE_QUERY_HOST_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"
#include "muster/host_memory.h"

namespace muster {

class HostMemory {
 public:
  // At least `bytes` (not 0) zeroed bytes, aligned to a page. RESOURCE_EXHAUSTED when the machine
  // does not have as many.
  static Result<std::unique_ptr<HostMemory>> allocate(uint64_t bytes);
  ~HostMemory();
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  HostMemory(UniqueFd file, std::byte* data, uint64_t bytes);

  UniqueFd file_;
  std::byte* data_;
  uint64_t bytes_;
};

// The table that plugins get.
const muster_host_memory* host_memory_interface();

}  // namespace muster

#endif
