#include "core/dispatch/batch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/compose/self.hpp"
#include "core/compose/staged.hpp"
#include "core/dispatch/checked.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/queue.hpp"

namespace muster {
namespace {

// The calls of a batch that one candidate's backend serves.
using Part = std::pair<const Candidate*, std::vector<muster_call>>;

muster_status* run_together(muster_group& group, const LiveBackend& live, uint16_t backend,
                            const std::vector<muster_call>& calls) {
  for (const muster_call& call : calls) {
    Counter& counter = group.counters_of(backend)[call.op];
    counter.calls += 1;
    counter.bytes += counted_bytes(call, call.op);
  }
  group.context.begin_operation();
  muster_status* const status =
      live.table->execute_batch(live.state, calls.data(), static_cast<uint32_t>(calls.size()));
  return status == nullptr ? nullptr : call_failed(group, calls.front(), status);
}

// Messages that wait for each other must go to one backend, as one batch.
// staged: those that are staged through the host, together.
Status check_messages(const muster_group& group, const std::vector<Part>& parts,
                      const std::vector<muster_call>& staged) {
  size_t messages = staged.size();
  const Candidate* alone = nullptr;  // serves messages, and not all of them together
  for (const auto& [candidate, part] : parts) {
    const auto here =
        static_cast<size_t>(std::count_if(part.begin(), part.end(), [](const muster_call& call) {
          return op_is_point_to_point(call.op);
        }));
    if (here == 0) continue;
    const LiveBackend* const live = group.live_backend(candidate->backend);
    const bool together = live != nullptr && live->table->execute_batch != nullptr;
    if (!together || messages != 0) alone = candidate;
    messages += here;
  }
  for (muster_call call : staged) {
    call.send_memory = call.recv_memory = MUSTER_HOST;
    call.stream = {MUSTER_STREAM_NONE, 0, 0};
    const Candidate* const candidate = find_candidate(group, call);
    if (candidate == nullptr) return Status(not_offered(group, call));
    const LiveBackend* const live = group.live_backend(candidate->backend);
    if (live == nullptr || live->table->execute_batch == nullptr || messages != staged.size())
      alone = candidate;
  }
  if (messages < 2 || alone == nullptr) return Status();
  return Status(
      MUSTER_UNIMPLEMENTED,
      fmt::format("{} of group {} cannot run the {} messages of a batch as one",
                  alone->backend == kComposed ? std::string("a composition")
                                              : "backend " + group.shown_names[alone->backend],
                  group.name, messages),
      "use muster_send_recv pairs, or prefer a backend that offers batches");
}

// The group of one rank: messages meet each other, everything else is dispatched as ever.
muster_status* run_alone(muster_group& group, const std::vector<muster_call>& calls) {
  std::vector<muster_call> messages;
  for (const muster_call& call : calls) {
    if (call.op == MUSTER_SEND || call.op == MUSTER_RECV) {
      messages.push_back(call);
    } else if (muster_status* status = run_now(group, call)) {
      return status;
    }
  }
  return self_batch(group, messages);
}

}  // namespace

muster_status* run_batch(muster_group& group, const std::vector<muster_call>& calls) {
  if (calls.empty()) return nullptr;
  if (group.attention.load(std::memory_order_relaxed) != 0) {
    if ((group.attention.load(std::memory_order_relaxed) & kAttentionQueue) != 0)
      group.queue->drain();
    if ((group.attention.load(std::memory_order_relaxed) & kAttentionBroken) != 0) {
      return run_with_attention(group, calls.front());  // says why
    }
    if ((group.attention.load(std::memory_order_relaxed) & kAttentionChecked) != 0) {
      for (const muster_call& call : calls) {
        if (Status status = check_across_ranks(group, call); !status.ok()) return status.release();
      }
    }
  }
  if (group.size == 1) return run_alone(group, calls);
  // Grouped by the backend that serves, in the order of the first collective of each, which is the
  // same on all ranks; what consists of messages only comes last. Each rank lists its messages in
  // an order of its own, so they must not decide which part it enters first.
  std::vector<Part> parts;
  std::vector<muster_call> staged;
  for (const bool messages : {false, true}) {
    for (const muster_call& call : calls) {
      if (op_is_point_to_point(call.op) != messages) continue;
      const Candidate* const candidate = find_candidate(group, call);
      if (candidate == nullptr) return not_offered(group, call);
      if (messages && is_staged(*candidate)) {
        staged.push_back(call);
        continue;
      }
      const auto part = std::find_if(parts.begin(), parts.end(), [&](const auto& p) {
        return p.first->backend == candidate->backend && candidate->backend != kComposed;
      });
      if (part == parts.end()) {
        parts.push_back({candidate, {call}});
      } else {
        part->second.push_back(call);
      }
    }
  }
  if (Status status = check_messages(group, parts, staged); !status.ok()) return status.release();
  for (const auto& [candidate, part] : parts) {
    const LiveBackend* const live = group.live_backend(candidate->backend);
    if (live != nullptr && live->table->execute_batch != nullptr) {
      if (muster_status* status = run_together(group, *live, candidate->backend, part))
        return status;
      continue;
    }
    for (const muster_call& call : part) {
      if (muster_status* status = run_now(group, call)) return status;
    }
  }
  return staged.empty() ? nullptr : staged_batch(group, staged);
}

}  // namespace muster
