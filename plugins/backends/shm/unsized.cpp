// gatherv, scatterv and all_to_allv: each pair of ranks knows its count, nobody knows all, so there
// are no common steps; every block is a message.
#include "plugins/backends/shm/collectives.hpp"

namespace muster::shm {

void gatherv(State& state, const muster_call& call) {
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  state.transfers.clear();
  if (rank != call.root) {
    state.transfers.push_back(Transfer::send(call.root, call.send, bytes));
  } else {
    Blocks& blocks = state.recv_blocks;
    blocks.assign(element_bytes(call), call.recv_counts, call.recv_displs);
    for (uint32_t i = 1; i < state.size(); ++i) {
      const uint32_t r = state.stage.peer(i);
      state.transfers.push_back(
          Transfer::receive(r, at(call.recv, blocks[r].offset), blocks[r].bytes));
    }
    state.copies.own(at(call.recv, blocks[rank].offset), call.send, bytes, bytes);
  }
  state.mailbox.run(Channel::kCollective, state.transfers);
}

void scatterv(State& state, const muster_call& call) {
  const uint32_t rank = state.rank();
  const uint64_t bytes = call.count * element_bytes(call);
  state.transfers.clear();
  if (rank != call.root) {
    state.transfers.push_back(Transfer::receive(call.root, call.recv, bytes));
  } else {
    Blocks& blocks = state.send_blocks;
    blocks.assign(element_bytes(call), call.send_counts, call.send_displs);
    for (uint32_t i = 1; i < state.size(); ++i) {
      const uint32_t r = state.stage.peer(i);
      state.transfers.push_back(
          Transfer::send(r, at(call.send, blocks[r].offset), blocks[r].bytes));
    }
    state.copies.own(call.recv, at(call.send, blocks[rank].offset), bytes, bytes);
  }
  state.mailbox.run(Channel::kCollective, state.transfers);
}

void all_to_allv(State& state, const muster_call& call) {
  const uint32_t rank = state.rank();
  const bool in_place = call.send == call.recv;
  Blocks& outgoing = state.send_blocks;
  Blocks& incoming = state.recv_blocks;
  outgoing.assign(element_bytes(call), call.send_counts, call.send_displs);
  incoming.assign(element_bytes(call), call.recv_counts, call.recv_displs);
  state.transfers.clear();
  for (uint32_t i = 1; i < state.size(); ++i) {
    const uint32_t r = state.stage.peer(i);
    state.transfers.push_back(
        Transfer::send(r, at(call.send, outgoing[r].offset), outgoing[r].bytes));
    Transfer receive = Transfer::receive(r, at(call.recv, incoming[r].offset), incoming[r].bytes);
    if (in_place) receive.behind = static_cast<int64_t>(state.transfers.size()) - 1;
    state.transfers.push_back(receive);
  }
  state.copies.own(at(call.recv, incoming[rank].offset), at(call.send, outgoing[rank].offset),
                   incoming[rank].bytes, incoming[rank].bytes);
  state.mailbox.run(Channel::kCollective, state.transfers);
}

}  // namespace muster::shm
