// One rank's part of one group: its segment, the mapped segments of the others, and the dispatch of
// calls to the operations. Thread rule: [group-serial] after connect. Lifetime: from prepare to
// group_destroy; the memory goes with the last rank that maps it.
#ifndef MUSTER_PLUGINS_SHM_GROUP_HPP
#define MUSTER_PLUGINS_SHM_GROUP_HPP

#include <memory>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/shm/collectives.hpp"
#include "plugins/backends/shm/fault.hpp"
#include "plugins/backends/shm/layout.hpp"
#include "plugins/backends/shm/segment.hpp"

namespace muster::shm {

class ShmGroup {
 public:
  explicit ShmGroup(plugin::Group group);
  void connect();
  void execute(const muster_call& call);
  // Collectives in their order, then all sends and receives at once.
  void execute_batch(const muster_call* calls, uint32_t count);
  // What the ranks have mapped of each other's memory.
  void* memory_register(void* pointer, uint64_t bytes, muster_memory memory);
  void memory_deregister(void* registration);

 private:
  // Runs a body; a failure in it leaves the counters of the ranks apart, so nothing runs after it.
  template <typename Body>
  void guarded(Body&& body);
  void collective(const muster_call& call);
  void check_header(const SegmentView& segment, uint32_t owner) const;
  // Where the ranks run. Rationale: asked of the kernel; reading the whole topology takes longer
  // than all the rest of making a group.
  struct Surroundings {
    bool cores_suffice = true;    // together they may run on as many cores as there are ranks
    std::vector<uint32_t> nodes;  // by rank: the NUMA node that it runs on
  };
  Surroundings look_around() const;  // [collective]

  plugin::Group group_;
  State state_;
  Layout layout_;
  Fault fault_;
  Descriptor memory_;  // until connected
  std::vector<std::shared_ptr<Mapping>> mappings_;
  std::vector<SegmentView> segments_;
  std::vector<muster_call> messages_;  // of a batch
  bool broken_ = false;
};

}  // namespace muster::shm

#endif
