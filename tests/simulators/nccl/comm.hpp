// One simulated communicator, and the streams' driver that its work is enqueued with.
#ifndef MUSTER_TESTS_SIMULATORS_NCCL_COMM_HPP
#define MUSTER_TESTS_SIMULATORS_NCCL_COMM_HPP

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "plugins/backends/nccl/api.hpp"
#include "tests/simulators/nccl/clique.hpp"
#include "tests/simulators/switches.hpp"

#define SIMULATED extern "C" __attribute__((visibility("default"))) int
// First in every function: the failure that a test wants.
#define SIMULATED_FAILURE(name)                                                              \
  if (const int failure = muster::simulators::injected("SIMULATED_NCCL_FAIL", name)) {       \
    muster::simulators::last_error() = std::string(name) + " fails because a test wants it"; \
    return failure;                                                                          \
  }

namespace muster::simulators {

// What ncclGetLastError tells: of this thread, as NCCL's.
std::string& last_error();

struct SimulatedComm : std::enable_shared_from_this<SimulatedComm> {
  std::shared_ptr<Clique> clique;
  int rank = 0;
  int size = 0;
  bool blocking = true;
  bool aborted = false;  // guarded by the clique's lock when it is waited for
  std::atomic<int> async{nccl::kSuccess};
  std::atomic<bool> busy{false};  // not blocking: the last call has not been asked after
  std::map<int, Reduction> scaled;
  int last_op = 4;

  // Enqueues a job; answers as a call of this communicator does.
  int enqueue(Job job, nccl::Stream stream);
};

// The live communicators: a handle that is not among them is refused.
std::shared_ptr<SimulatedComm> comm_of(nccl::Comm handle);
nccl::Comm keep(std::shared_ptr<SimulatedComm> comm);
void forget(nccl::Comm handle);

// The index of the device whose context is current on this thread, -1: none.
int current_device();

}  // namespace muster::simulators

#endif
