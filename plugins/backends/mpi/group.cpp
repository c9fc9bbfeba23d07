#include "plugins/backends/mpi/group.hpp"

#include "plugins/backends/mpi/move.hpp"
#include "plugins/backends/mpi/reduce.hpp"

namespace muster::mpi {
namespace {

void run_collective(Communicator& comm, const muster_call& call) {
  if (is_reduction(call.op)) return reduce(comm, call);
  move(comm, call);
}

}  // namespace

void Group::execute(const muster_call& call) {
  comm_.require_usable();
  if (!is_point_to_point(call.op)) return run_collective(comm_, call);
  std::vector<Transfer> transfers;
  add_messages(call, transfers);
  comm_.post(transfers, kProgram, call.op == MUSTER_RECV ? "recv" : "send")->finish();
}

void Group::execute_batch(const muster_call* calls, uint32_t count) {
  comm_.require_usable();
  std::vector<Transfer> transfers;
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = MUSTER_AT(muster_call, calls, i);
    if (is_point_to_point(call.op)) add_messages(call, transfers);
  }
  const auto messages = comm_.post(transfers, kProgram, "batch");
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = MUSTER_AT(muster_call, calls, i);
    if (!is_point_to_point(call.op)) run_collective(comm_, call);
  }
  messages->finish();
}

}  // namespace muster::mpi
