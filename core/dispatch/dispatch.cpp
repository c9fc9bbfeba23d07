#include "core/dispatch/dispatch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/units.hpp"
#include "core/compose/staged.hpp"
#include "core/dispatch/checked.hpp"
#include "core/dispatch/plain_call.hpp"
#include "core/dispatch/plan.hpp"
#include "core/dispatch/queue.hpp"

muster_group::muster_group() : queue(std::make_unique<muster::CallQueue>(*this)) {}

muster_group::~muster_group() {
  queue.reset();
  for (auto backend = backends.rbegin(); backend != backends.rend(); ++backend) {
    if (backend->state != nullptr) backend->table->group_destroy(backend->state);
  }
}

void muster_group::enter(muster_phase next) {
  phase = next;
  phase_class = muster::phase_class_of(next);
  for (muster_plan* const plan : plans) plan->see_phase(next);
  const muster::Table& table = chain.table;
  const uint8_t slot = table.memory_slot[memory];
  if (slot == muster::Table::kNoSlot) {
    attention.fetch_or(muster::kAttentionUnserved, std::memory_order_relaxed);
  } else {
    plane = &table.linked_rows[muster::cell_index(slot, phase_class, MUSTER_OP_NONE,
                                                  MUSTER_DTYPE_NONE, MUSTER_REDOP_NONE)];
  }
  for (muster_op op = 0; op < MUSTER_OP_END; ++op) {
    muster_call call{};
    call.struct_size = MUSTER_CALL_SIZE;
    call.op = op;
    call.send_memory = call.recv_memory =
        op == MUSTER_BARRIER ? muster_memory{MUSTER_HOST} : memory;
    call.phase = phase;
    plain_calls[0][op] = stream_calls[op] = call;
    call.flags = MUSTER_CALL_IN_PLACE;
    plain_calls[1][op] = call;
  }
}

void muster_group::link() {
  live.clear();
  for (const muster::ChainBackend& backend : chain.backends) {
    const auto found = std::find_if(
        backends.begin(), backends.end(),
        [&](const muster::LiveBackend& each) { return each.plugin->id() == backend.id; });
    live.push_back(found == backends.end() ? nullptr : &*found);
  }
  counters.resize((chain.backends.size() + 1) * MUSTER_OP_END);
  for (muster::Candidate& candidate : chain.table.candidates)
    candidate.counters = counters_of(candidate.backend);
  chain.table.link();
}

namespace muster {
namespace {

struct InCall {
  explicit InCall(muster_group& group) : group(group) {}
  ~InCall() { group.in_call.store(false, std::memory_order_release); }
  muster_group& group;
};

}  // namespace

const Candidate* find_candidate(const muster_group& group, const muster_call& call) {
  const uint32_t row = cell_index(group.chain.table.memory_slot[call.send_memory],
                                  group.phase_class, call.op, call.dtype, call.redop);
  return group.chain.table.find(row, call.selection_bytes, call_traits(call));
}

muster_status* run_with_attention(muster_group& group, const muster_call& call) {
  return at_boundary([&]() -> Status {
    uint32_t attention = group.attention.load(std::memory_order_acquire);
    if ((attention & kAttentionQueue) != 0) {
      group.queue->drain();
      attention = group.attention.load(std::memory_order_acquire);
    }
    if ((attention & kAttentionBroken) != 0) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("group {} is broken: {}", group.name, group.broken_by),
                    "destroy the group and create it anew among the ranks that live");
    }
    if ((attention & kAttentionChecked) == 0) return Status(run_now(group, call));
    // Roles that share a group meet here too: two threads on one sequence would order it by chance.
    if (group.in_call.exchange(true, std::memory_order_acquire)) {
      return Status(MUSTER_FAILED_PRECONDITION,
                    fmt::format("two threads call on group {} at the same time: {} came while "
                                "another call was not done",
                                group.name, op_name(call.op)),
                    "use a group from one thread at a time; roles of equal ranks share a group, "
                    "give one of them options or a layout of its own");
    }
    const InCall until_done(group);
    MUSTER_TRY(check_across_ranks(group, call));
    return Status(run_now(group, call));
  });
}

muster_status* not_offered(const muster_group& group, const muster_call& call) {
  return at_boundary([&] {
    const std::string size =
        call.selection_bytes == kUnsized ? "unsized" : format_bytes(call.selection_bytes);
    const CellKey key{call.send_memory, group.phase_class, selection_op(call.op), call.dtype,
                      call.redop};
    if (staged_when_eager(group.chain, key, call.selection_bytes, call_traits(call)) != nullptr) {
      return Status(
          MUSTER_UNAVAILABLE,
          fmt::format("{} of {} {}{}{} on group {} is staged through the host, for no backend "
                      "offers it in {} memory, and a graph cannot hold what the host does",
                      op_name(call.op), size, dtype_name(call.dtype),
                      op_reduces(call.op) ? " " : "",
                      op_reduces(call.op) ? redop_name(call.redop) : "", group.name,
                      memory_name(call.send_memory)),
          "make this call outside of graph phases, or have a backend that offers it there "
          "(muster explain says why those of this machine do not)");
    }
    return Status(
        MUSTER_UNAVAILABLE,
        fmt::format("no backend of group {} offers {} of {} {}{}{} in {} memory, phase {}",
                    group.name, op_name(call.op), size, dtype_name(call.dtype),
                    op_reduces(call.op) ? " " : "",
                    op_reduces(call.op) ? redop_name(call.redop) : "",
                    memory_name(call.send_memory), phase_class_name(group.phase_class)),
        "muster explain says what each backend offers; install one that takes it, or allow it in "
        "the configuration");
  });
}

void break_group(muster_group& group, const std::string& cause) {
  // muster_group_abort comes from any thread: the first one says the cause, and who sees the bit
  // sees the cause.
  if (group.context.aborted.exchange(1, std::memory_order_acq_rel) != 0) return;
  group.broken_by = cause;
  group.attention.fetch_or(kAttentionBroken, std::memory_order_release);
  for (const LiveBackend& backend : group.backends) {
    if (backend.table->abort != nullptr) backend.table->abort(backend.state);
  }
}

Status ranks_are_apart(muster_group& group, const Status& lost, std::string_view doing) {
  Status failure = lost.within(fmt::format("{} of group {}", doing, group.name));
  break_group(group, failure.cause());
  return failure;
}

muster_status* call_failed(muster_group& group, const muster_call& call, muster_status* status) {
  return at_boundary([&] {
    Status failure = Status(status).within(
        fmt::format("{} on group {}, rank {}", op_name(call.op), group.name, group.rank));
    log_warn(failure.message());
    break_group(group, failure.cause());
    return failure;
  });
}

muster_status* plain_call_failed(muster_group& group, muster_op op, bool in_place,
                                 muster_status* status) {
  return call_failed(group, group.plain_calls[in_place ? 1 : 0][op], status);
}

}  // namespace muster
