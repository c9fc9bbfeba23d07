// Bounded waiting for MPI requests: a test loop that looks at the abort word, the deadline and the
// peers, because a blocking MPI call could be ended by nobody. Thread rule: as the group.
#ifndef MUSTER_PLUGINS_BACKENDS_MPI_WAIT_HPP
#define MUSTER_PLUGINS_BACKENDS_MPI_WAIT_HPP

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muster/plugin.hpp"
#include "plugins/backends/mpi/library.hpp"

namespace muster::mpi {

// In a list of peers: the request waits for all ranks of the group.
constexpr uint32_t kEveryRank = UINT32_MAX;

class Wait {
 public:
  Wait(const plugin::Group& group, const std::atomic<bool>& aborted)
      : group_(group), aborted_(aborted) {}

  // Until all requests are complete; peers[i] is the group rank that requests[i] waits for.
  // statuses takes one per request, null: of one request only. Throws ABORTED, PEER_LOST,
  // DEADLINE_EXCEEDED or what MPI reports; requests that are not MPI_REQUEST_NULL are then still
  // pending.
  void operator()(MPI_Request* requests, const uint32_t* peers, size_t count, MPI_Status* statuses,
                  const char* what) const;

 private:
  bool test(MPI_Request* requests, size_t count, MPI_Status* statuses, const char* what) const;
  void look_at_peers(const MPI_Request* requests, const uint32_t* peers, size_t count,
                     const char* what) const;
  std::string missing(MPI_Request* requests, const uint32_t* peers, size_t count) const;

  const plugin::Group& group_;
  const std::atomic<bool>& aborted_;
};

// The same loop without a group, for set-up: calls `done` until it says true or the deadline has
// passed; false then.
bool poll_until(uint64_t (*now_ns)(), uint64_t deadline_ns, const std::function<bool()>& done);

}  // namespace muster::mpi

#endif
