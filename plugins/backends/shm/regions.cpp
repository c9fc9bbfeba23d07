#include "plugins/backends/shm/regions.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "muster/host_memory.h"

namespace muster::shm {
namespace {

// What a rank tells the others about its part.
struct Told {
  uint64_t backed;  // 1: there is a file that others can map
  uint64_t file_bytes;
  uint64_t offset;  // in the file
};

// The file behind this rank's part, and where it lies in it. Why there is none stays in `reason`.
struct Backing {
  int32_t fd = -1;
  Told told{};
  std::string reason;
};

Backing backing_of(const plugin::Group& group, void* pointer, uint64_t bytes,
                   muster_memory memory) {
  Backing backing;
  if (memory != MUSTER_HOST) {
    backing.reason = "it is not host memory";
    return backing;
  }
  const auto* const table =
      group.host().interface<muster_host_memory>(MUSTER_HOST_MEMORY_INTERFACE);
  if (table == nullptr) {
    backing.reason = "this runtime tells no files behind memory";
    return backing;
  }
  const muster_host* const host = group.host().get();
  muster_status* const status =
      table->backing(host, pointer, bytes, &backing.fd, &backing.told.offset);
  struct stat facts {};
  if (status != nullptr) {
    backing.reason = host->status_cause(status);
    host->status_release(status);
  } else if (fstat(backing.fd, &facts) != 0) {
    backing.reason = "its file cannot be inspected";
  } else {
    backing.told.backed = 1;
    backing.told.file_bytes = static_cast<uint64_t>(facts.st_size);
  }
  return backing;
}

}  // namespace

const Region* Regions::add(void* pointer, uint64_t bytes, muster_memory memory) {
  auto region = std::make_unique<Region>();
  region->id = ++last_id_;  // counts on every rank alike, whatever becomes of this one
  region->base = static_cast<std::byte*>(pointer);
  region->bytes = bytes;
  const Backing own = backing_of(group_, pointer, bytes, memory);
  std::vector<Told> told(group_.size());
  group_.all_gather(&own.told, sizeof(own.told), told.data());
  for (uint32_t r = 0; r < group_.size(); ++r) {
    if (told[r].backed != 0) continue;
    plugin::fail(MUSTER_UNAVAILABLE,
                 own.reason.empty()
                     ? "the memory of rank " + std::to_string(r) + " cannot be mapped by others"
                     : own.reason,
                 "allocate it with muster_mem_alloc on every rank");
  }
  std::vector<Descriptor> files;
  files.reserve(group_.size());
  for (const int32_t fd : group_.exchange_fds(&own.fd, 1)) files.emplace_back(fd);
  region->peers.resize(group_.size());
  region->mappings.resize(group_.size());
  for (uint32_t r = 0; r < group_.size(); ++r) {
    if (r == group_.rank()) {
      region->peers[r] = region->base;
      continue;
    }
    if (told[r].offset > told[r].file_bytes || bytes > told[r].file_bytes - told[r].offset) {
      plugin::fail(MUSTER_DATA_LOSS, "the memory of rank " + std::to_string(r) +
                                         " is shorter than its part of the region");
    }
    region->mappings[r] = Mapping::of(files[r], told[r].file_bytes);
    region->peers[r] = region->mappings[r]->data() + told[r].offset;
  }
  const Entry entry{region->base, bytes, region.get()};
  by_address_.reserve(by_address_.size() + 1);
  regions_.push_back(std::move(region));
  const auto after =
      std::upper_bound(by_address_.begin(), by_address_.end(), entry.begin,
                       [](const std::byte* address, const Entry& e) { return address < e.begin; });
  by_address_.insert(after, entry);
  return entry.region;
}

void Regions::remove(const Region* region) {
  by_address_.erase(std::remove_if(by_address_.begin(), by_address_.end(),
                                   [&](const Entry& entry) { return entry.region == region; }),
                    by_address_.end());
  regions_.erase(std::remove_if(regions_.begin(), regions_.end(),
                                [&](const auto& owned) { return owned.get() == region; }),
                 regions_.end());
}

const Region* Regions::search(const void* pointer, uint64_t bytes) const {
  const auto* const address = static_cast<const std::byte*>(pointer);
  auto after =
      std::upper_bound(by_address_.begin(), by_address_.end(), address,
                       [](const std::byte* wanted, const Entry& e) { return wanted < e.begin; });
  if (after == by_address_.begin()) return nullptr;
  const Entry& entry = *--after;
  const auto offset = static_cast<uint64_t>(address - entry.begin);
  return offset <= entry.bytes && bytes <= entry.bytes - offset ? entry.region : nullptr;
}

const Region* Regions::find(uint32_t id) const {
  const auto found =
      std::lower_bound(regions_.begin(), regions_.end(), id,
                       [](const auto& region, uint32_t wanted) { return region->id < wanted; });
  return found != regions_.end() && (*found)->id == id ? found->get() : nullptr;
}

}  // namespace muster::shm
