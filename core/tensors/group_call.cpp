#include "core/tensors/group_call.hpp"

#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/queue.hpp"

namespace muster {

Status call_group(muster_group& group, muster_call call) {
  Refusal refusal = prepare_any(group, call);
  const bool message = call.op == MUSTER_SEND || call.op == MUSTER_RECV;
  if (refusal == Refusal::kNone && message && call.peer == group.rank) refusal = Refusal::kSelf;
  if (refusal != Refusal::kNone) return Status(refuse_call(group, call, refusal));
  return Status(run_call(group, call, call.op));
}

muster_call host_call(muster_op op, const void* send, void* recv, uint64_t bytes) {
  muster_call call = muster_call_init(op, MUSTER_U8);
  call.send = send;
  call.recv = recv;
  call.count = bytes;
  call.send_memory = call.recv_memory = MUSTER_HOST;
  return call;
}

void settle(muster_group& group) {
  if ((group.attention.load(std::memory_order_acquire) & kAttentionQueue) != 0)
    group.queue->drain();
}

bool is_broken(const muster_group& group) {
  return (group.attention.load(std::memory_order_acquire) & kAttentionBroken) != 0;
}

}  // namespace muster
