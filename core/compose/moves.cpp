// Compositions of operations that only move data.
#include "core/compose/moves.hpp"

#include <string>
#include <vector>

#include "core/compose/parts.hpp"

namespace muster {
namespace {

std::vector<uint64_t> scaled(const uint64_t* values, uint32_t size, uint64_t factor) {
  std::vector<uint64_t> out;
  if (values != nullptr) {
    out.assign(values, values + size);
    for (uint64_t& value : out) value *= factor;
  }
  return out;
}

const uint64_t* data_or_null(const std::vector<uint64_t>& values) {
  return values.empty() ? nullptr : values.data();
}

// Every rank's `mine`, in rank order.
muster_status* gather_counts(muster_group& group, const muster_call& call,
                             const std::vector<uint64_t>& mine, std::vector<uint64_t>& all) {
  all.resize(mine.size() * group.size);
  muster_call gather = part_of(call, MUSTER_ALL_GATHER);
  gather.dtype = MUSTER_U64;
  gather.send = mine.data();
  gather.recv = all.data();
  gather.count = mine.size();
  return run_part(group, gather);
}

muster_status* counts_differ(const char* op, uint32_t from, uint64_t sent, uint64_t expected) {
  return Status(MUSTER_MISMATCH,
                std::string(op) + ": rank " + std::to_string(from) + " sends " +
                    std::to_string(sent) + " elements, " + std::to_string(expected) +
                    " are expected",
                "the count that is received must be the one that is sent")
      .release();
}

}  // namespace

muster_status* as_bytes(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  const bool sends = reads_send_counts(*call, group.rank);
  const bool receives = reads_recv_counts(*call, group.rank);
  const auto send_counts = scaled(sends ? call->send_counts : nullptr, group.size, element);
  const auto send_displs = scaled(sends ? call->send_displs : nullptr, group.size, element);
  const auto recv_counts = scaled(receives ? call->recv_counts : nullptr, group.size, element);
  const auto recv_displs = scaled(receives ? call->recv_displs : nullptr, group.size, element);
  muster_call bytes = *call;
  bytes.dtype = MUSTER_U8;
  bytes.recv_dtype = MUSTER_DTYPE_NONE;
  bytes.count *= element;
  bytes.recv_count *= element;
  bytes.send_counts = data_or_null(send_counts);
  bytes.send_displs = data_or_null(send_displs);
  bytes.recv_counts = data_or_null(recv_counts);
  bytes.recv_displs = data_or_null(recv_displs);
  return run_part(group, bytes);
}

muster_status* broadcast_by_all_gather(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t bytes = call->count * dtype_size(call->dtype);
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kBroadcastByAllGather, bytes * group.size, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHER);
  // Ranks other than the root have nothing to send; their own receive buffer is as good as any.
  if (call->root != group.rank) gather.send = call->recv;
  gather.recv = all;
  MUSTER_PART(run_part(group, gather));
  // What the root has in place is not written again: it may lie in memory that is only read.
  if (call->root == group.rank && call->send == call->recv) return nullptr;
  copy_bytes(call->recv, bytes == 0 ? nullptr : all + call->root * bytes, bytes);
  return nullptr;
}

muster_status* all_gather_by_all_gatherv(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const std::vector<uint64_t> counts(group.size, call->count);
  muster_call gather = part_of(*call, MUSTER_ALL_GATHERV);
  gather.recv_counts = counts.data();
  gather.recv_displs = nullptr;
  return run_part(group, gather);
}

muster_status* all_gatherv_by_broadcast(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  for (uint32_t r = 0; r < group.size; ++r) {
    muster_call broadcast = part_of(*call, MUSTER_BROADCAST);
    broadcast.root = r;
    broadcast.count = call->recv_counts[r];
    if (broadcast.count != 0) {
      broadcast.recv = static_cast<char*>(call->recv) +
                       displacement_of(call->recv_counts, call->recv_displs, r) * element;
    }
    MUSTER_PART(run_part(group, broadcast));
  }
  return nullptr;
}

muster_status* all_gather_by_broadcast(muster_backend_group* state, const muster_call* call) {
  const std::vector<uint64_t> counts(group_of(state).size, call->count);
  muster_call gatherv = *call;
  gatherv.recv_counts = counts.data();
  gatherv.recv_displs = nullptr;
  return all_gatherv_by_broadcast(state, &gatherv);
}

muster_status* gather_by_all_gather(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t bytes = call->count * dtype_size(call->dtype) * group.size;
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kGatherByAllGather, bytes, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHER);
  gather.recv = all;
  MUSTER_PART(run_part(group, gather));
  if (call->root == group.rank) copy_bytes(call->recv, all, bytes);
  return nullptr;
}

muster_status* gatherv_by_all_gatherv(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  std::vector<uint64_t> counts;
  MUSTER_PART(gather_counts(group, *call, {call->count}, counts));
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kGathervByAllGatherv, total * element, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHERV);
  gather.recv = all;
  gather.recv_counts = counts.data();
  gather.recv_displs = nullptr;
  MUSTER_PART(run_part(group, gather));
  if (call->root != group.rank) return nullptr;
  for (uint32_t r = 0; r < group.size; ++r) {
    if (counts[r] != call->recv_counts[r])
      return counts_differ("gatherv", r, counts[r], call->recv_counts[r]);
    if (counts[r] == 0) continue;
    copy_bytes(static_cast<char*>(call->recv) +
                   displacement_of(call->recv_counts, call->recv_displs, r) * element,
               all + displacement_of(counts.data(), nullptr, r) * element, counts[r] * element);
  }
  return nullptr;
}

muster_status* scatter_by_broadcast(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t part = call->count * dtype_size(call->dtype);
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kScatterByBroadcast, part * group.size, &all));
  muster_call broadcast = part_of(*call, MUSTER_BROADCAST);
  broadcast.recv = all;
  broadcast.count = call->count * group.size;
  MUSTER_PART(run_part(group, broadcast));
  copy_bytes(call->recv, all + group.rank * part, part);
  return nullptr;
}

muster_status* scatterv_by_broadcast(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  const bool is_root = call->root == group.rank;
  std::vector<uint64_t> counts(group.size);
  muster_call share = part_of(*call, MUSTER_BROADCAST);
  share.dtype = MUSTER_U64;
  share.count = group.size;
  share.send = is_root ? call->send_counts : nullptr;
  share.recv = counts.data();
  MUSTER_PART(run_part(group, share));
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kScattervByBroadcast, 2 * total * element, &all));
  char* const packed = all + total * element;
  if (is_root) {
    for (uint32_t r = 0; r < group.size; ++r) {
      if (counts[r] == 0) continue;
      copy_bytes(packed + displacement_of(counts.data(), nullptr, r) * element,
                 static_cast<const char*>(call->send) +
                     displacement_of(call->send_counts, call->send_displs, r) * element,
                 counts[r] * element);
    }
  }
  muster_call broadcast = part_of(*call, MUSTER_BROADCAST);
  broadcast.send = packed;
  broadcast.recv = all;
  broadcast.count = total;
  MUSTER_PART(run_part(group, broadcast));
  if (counts[group.rank] != call->count)
    return counts_differ("scatterv", call->root, counts[group.rank], call->count);
  copy_bytes(call->recv, all + displacement_of(counts.data(), nullptr, group.rank) * element,
             call->count * element);
  return nullptr;
}

muster_status* all_to_all_by_all_gather(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t part = call->count * dtype_size(call->dtype);
  const uint64_t row = part * group.size;
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kAllToAllByAllGather, row * group.size, &all));
  muster_call gather = part_of(*call, MUSTER_ALL_GATHER);
  gather.recv = all;
  gather.count = call->count * group.size;
  MUSTER_PART(run_part(group, gather));
  for (uint32_t r = 0; part != 0 && r < group.size; ++r) {
    copy_bytes(static_cast<char*>(call->recv) + r * part, all + r * row + group.rank * part, part);
  }
  return nullptr;
}

muster_status* all_to_allv_by_all_gatherv(muster_backend_group* state, const muster_call* call) {
  muster_group& group = group_of(state);
  const uint64_t element = dtype_size(call->dtype);
  std::vector<uint64_t> counts;  // [sender][receiver]
  const std::vector<uint64_t> mine(call->send_counts, call->send_counts + group.size);
  MUSTER_PART(gather_counts(group, *call, mine, counts));
  std::vector<uint64_t> totals(group.size);
  uint64_t total = 0;
  for (uint32_t r = 0; r < group.size; ++r) {
    for (uint32_t to = 0; to < group.size; ++to) totals[r] += counts[r * group.size + to];
    total += totals[r];
  }
  char* all = nullptr;
  MUSTER_PART(take_scratch(group, *call, Recipe::kAllToAllvByAllGatherv,
                           (total + totals[group.rank]) * element, &all));
  char* packed = all + total * element;
  uint64_t offset = 0;
  for (uint32_t to = 0; to < group.size; ++to) {
    if (mine[to] == 0) continue;
    copy_bytes(packed + offset * element,
               static_cast<const char*>(call->send) +
                   displacement_of(call->send_counts, call->send_displs, to) * element,
               mine[to] * element);
    offset += mine[to];
  }
  muster_call gather = part_of(*call, MUSTER_ALL_GATHERV);
  gather.send = packed;
  gather.recv = all;
  gather.recv_counts = totals.data();
  gather.recv_displs = nullptr;
  MUSTER_PART(run_part(group, gather));
  // Not before: the other ranks would wait for this one.
  for (uint32_t r = 0; r < group.size; ++r) {
    const uint64_t sent = counts[static_cast<size_t>(r) * group.size + group.rank];
    if (sent != call->recv_counts[r])
      return counts_differ("all_to_allv", r, sent, call->recv_counts[r]);
  }
  for (uint32_t r = 0; r < group.size; ++r) {
    const uint64_t* const row = counts.data() + static_cast<size_t>(r) * group.size;
    if (row[group.rank] == 0) continue;
    const uint64_t from =
        displacement_of(totals.data(), nullptr, r) + displacement_of(row, nullptr, group.rank);
    copy_bytes(static_cast<char*>(call->recv) +
                   displacement_of(call->recv_counts, call->recv_displs, r) * element,
               all + from * element, row[group.rank] * element);
  }
  return nullptr;
}

}  // namespace muster
