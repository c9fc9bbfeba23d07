// send, recv, send_recv: messages on the program's channel.
#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

void point_to_point(State& state, const muster_call* calls, uint32_t count) {
  state.transfers.clear();
  for (uint32_t i = 0; i < count; ++i) {
    const muster_call& call = calls[i];
    const uint64_t element = element_bytes(call);
    if (call.op == MUSTER_SEND || call.op == MUSTER_SEND_RECV) {
      state.transfers.push_back(Transfer::send(call.peer, call.send, call.count * element));
    }
    if (call.op == MUSTER_RECV) {
      state.transfers.push_back(Transfer::receive(call.peer, call.recv, call.count * element));
    } else if (call.op == MUSTER_SEND_RECV) {
      state.transfers.push_back(
          Transfer::receive(call.recv_peer, call.recv, call.recv_count * element));
    }
  }
  state.mailbox.run(Channel::kProgram, state.transfers);
}

}  // namespace muster::shm
