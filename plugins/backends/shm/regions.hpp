// Memory of the program that every rank of a group has mapped (muster_mem_alloc): what lies in it
// is read and written where it is, without staging.
//
// add and remove are [collective], the rest is for the path of a call: [group-serial] [local]
// [no-block], no allocation. Lifetime: the group's; mappings of the other ranks' memory stay usable
// until they are removed here, whatever the others do. As the windows of MPI_Win_shared_query.
#ifndef MUSTER_PLUGINS_SHM_REGIONS_HPP
#define MUSTER_PLUGINS_SHM_REGIONS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/segment.hpp"

namespace muster::shm {

struct Region {
  uint32_t id = 0;                // equal on all ranks; never 0, never used again
  std::byte* base = nullptr;      // where this rank's program has it
  uint64_t bytes = 0;             // equal on all ranks
  std::vector<std::byte*> peers;  // by rank, where it is mapped here; this rank's own is base
  std::vector<std::shared_ptr<Mapping>> mappings;  // by rank, what keeps them; none of its own

  // Of an address of this rank's part.
  uint64_t offset(const void* pointer) const {
    return static_cast<uint64_t>(static_cast<const std::byte*>(pointer) - base);
  }
  std::byte* peer(uint32_t rank, uint64_t offset) const { return peers[rank] + offset; }
};

class Regions {
 public:
  explicit Regions(plugin::Group group) : group_(group) {}

  // Maps the memory that every rank gives, of one size. UNAVAILABLE on all ranks when one of them
  // gives memory that nobody else can map. The region is known by its address until removed.
  const Region* add(void* pointer, uint64_t bytes, muster_memory memory);
  void remove(const Region* region);

  bool empty() const { return by_address_.empty(); }
  // The region that holds all of these bytes of this rank; nullptr: none.
  const Region* find(const void* pointer, uint64_t bytes) const {
    return empty() ? nullptr : search(pointer, bytes);
  }
  // The region of an id that another rank has told; nullptr: none.
  const Region* find(uint32_t id) const;

 private:
  struct Entry {
    const std::byte* begin;
    uint64_t bytes;
    const Region* region;
  };
  const Region* search(const void* pointer, uint64_t bytes) const;

  plugin::Group group_;
  uint32_t last_id_ = 0;
  std::vector<std::unique_ptr<const Region>> regions_;  // by id
  std::vector<Entry> by_address_;
};

}  // namespace muster::shm

#endif
