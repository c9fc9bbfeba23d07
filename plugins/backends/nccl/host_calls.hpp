// Host calls on device memory: a stream of the group's own, and the wait for what was enqueued on
// it.
//
// The stream is ordered with the legacy default stream. Thread rule: group-serial. Lifetime: as the
// group.
#ifndef MUSTER_PLUGINS_BACKENDS_NCCL_HOST_CALLS_HPP
#define MUSTER_PLUGINS_BACKENDS_NCCL_HOST_CALLS_HPP

#include "muster/plugin.hpp"
#include "plugins/backends/nccl/life.hpp"

namespace muster::nccl {

class HostCalls {
 public:
  HostCalls(plugin::Group group, Life& life) : group_(group), life_(life) {}
  ~HostCalls();
  HostCalls(const HostCalls&) = delete;
  HostCalls& operator=(const HostCalls&) = delete;

  // Made when it is first asked for; the group's context is current.
  Stream stream();
  // Until everything on it is done. Throws at the deadline, when the group is aborted, a peer is
  // gone, or NCCL reports a failure.
  void wait();

 private:
  // gone_ns: when it was first seen that a peer is gone; 0: not yet.
  void look(uint64_t& gone_ns) const;
  void look_back() const;

  plugin::Group group_;
  Life& life_;
  Stream stream_ = nullptr;
};

}  // namespace muster::nccl

#endif
