// The runtime's side of a group as its backends see it: the group functions of host.h.
//
// A GroupContext is shared by all backends of one group; each backend gets its own
// muster_host_group with its options. Both live until every backend's group_destroy has returned.
#ifndef MUSTER_CORE_QUERY_HOST_GROUP_HPP
#define MUSTER_CORE_QUERY_HOST_GROUP_HPP

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/bootstrap/node_channel.hpp"
#include "core/bootstrap/world.hpp"
#include "core/query/plugin_host.hpp"
#include "core/query/scratch.hpp"
#include "muster/host.h"

namespace muster {

struct GroupContext {
  muster_group_info info{};
  std::string name;
  std::string bootstrap;
  std::vector<muster_rank_place> places;
  std::vector<uint32_t> world_ranks;
  World* world = nullptr;
  NodeChannel* channel = nullptr;
  uint64_t timeout_ns = 0;
  uint64_t spin_ns = 0;
  bool crowded = false;  // more ranks of the world on this node than cores
  std::atomic<uint32_t> aborted{0};
  const Devices* devices = nullptr;
  Scratch scratch;
  // Of the operation that runs; 0 until its first wait sets it: no clock is read on the path of a
  // call that does not wait.
  uint64_t deadline_ns = 0;

  void begin_operation() { deadline_ns = 0; }
  uint64_t deadline();
  // The device that this rank is bound to; 0 when it is bound to none.
  uint32_t device() const {
    const int32_t bound = places[info.rank].device;
    return bound < 0 ? 0 : static_cast<uint32_t>(bound);
  }
};

// Sets the group functions of a host table.
void fill_group_functions(muster_host& host);

}  // namespace muster

struct muster_host_group {
  muster::GroupContext* context = nullptr;
  const muster::PluginHost* plugin = nullptr;
  std::map<std::string, std::string> options;
};

#endif
