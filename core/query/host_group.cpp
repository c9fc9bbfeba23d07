#include "core/query/host_group.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/wait.hpp"

namespace muster {
namespace {

Status check_rank(const GroupContext& context, uint32_t rank, const char* what) {
  if (rank < context.info.size) return Status();
  return Status(MUSTER_INVALID_ARGUMENT, fmt::format("{} {} is outside group {} of {} ranks", what,
                                                     rank, context.name, context.info.size));
}

muster_status* all_gather(muster_host_group* group, const void* data, uint64_t bytes, void* out) {
  GroupContext& context = *group->context;
  Result<std::vector<std::string>> all = context.world->all_gather(
      context.world_ranks, context.info.tag,
      std::string_view(static_cast<const char*>(data), bytes), context.deadline());
  if (!all.ok()) return all.take_status().release();
  for (size_t i = 0; i < all->size(); ++i) {
    const std::string& part = (*all)[i];
    if (part.size() != bytes) {
      return Status(MUSTER_MISMATCH,
                    fmt::format("{}: rank {} gave {} bytes to an all_gather of {} bytes",
                                group->plugin->id(), i, part.size(), bytes))
          .release();
    }
    std::memcpy(static_cast<char*>(out) + i * bytes, part.data(), bytes);
  }
  return nullptr;
}

muster_status* broadcast(muster_host_group* group, uint32_t root, void* data, uint64_t bytes) {
  GroupContext& context = *group->context;
  if (Status status = check_rank(context, root, "root"); !status.ok()) return status.release();
  Result<std::string> got = context.world->broadcast(
      context.world_ranks, context.info.tag, root,
      std::string_view(static_cast<const char*>(data), bytes), context.deadline());
  if (!got.ok()) return got.take_status().release();
  if (got->size() != bytes) {
    return Status(MUSTER_MISMATCH,
                  fmt::format("{}: root {} gave {} bytes to a broadcast of {} bytes",
                              group->plugin->id(), root, got->size(), bytes))
        .release();
  }
  std::memcpy(data, got->data(), bytes);
  return nullptr;
}

muster_status* exchange_fds(muster_host_group* group, const int32_t* fds, uint32_t count,
                            int32_t* out_fds) {
  GroupContext& context = *group->context;
  for (const muster_rank_place& place : context.places) {
    if (place.node != context.places[context.info.rank].node) {
      return Status(MUSTER_UNAVAILABLE,
                    fmt::format(
                        "{}: file descriptors cannot be exchanged, group {} spans several nodes",
                        group->plugin->id(), context.name))
          .release();
    }
  }
  Result<std::vector<int>> all = context.channel->exchange_fds(
      context.world_ranks, context.info.tag, std::span<const int>(fds, count), context.deadline());
  if (!all.ok()) return all.take_status().release();
  std::memcpy(out_fds, all->data(), all->size() * sizeof(int32_t));
  return nullptr;
}

struct Watched {
  GroupContext* context;
  uint32_t peer;
};

bool watched_alive(void* pointer) {
  const Watched& watched = *static_cast<const Watched*>(pointer);
  return watched.context->channel == nullptr ||
         watched.context->channel->alive(watched.context->world_ranks[watched.peer]);
}

muster_status* wait(muster_host_group* group, muster_wait_word* word, uint64_t at_least,
                    uint32_t peer) {
  GroupContext& context = *group->context;
  if (Status status = check_rank(context, peer, "peer"); !status.ok()) return status.release();
  Watched watched{&context, peer};
  WaitLimits limits;
  limits.deadline_ns = context.deadline();
  limits.aborted = &context.aborted;
  limits.spin_ns = context.spin_ns;
  limits.crowded = context.crowded;
  limits.peer_alive = watched_alive;
  limits.context = &watched;
  const auto whom = [&] {
    return fmt::format("rank {} of group {} (world rank {})", peer, context.name,
                       context.world_ranks[peer]);
  };
  switch (wait_for(word, at_least, limits)) {
    case WaitEnd::kReached:
      return nullptr;
    case WaitEnd::kAborted:
      return Status(MUSTER_ABORTED,
                    fmt::format("the group was aborted while waiting for {}", whom()))
          .release();
    case WaitEnd::kPeerLost:
      return Status(
                 MUSTER_PEER_LOST, fmt::format("{} is gone", whom()),
                 "look for its exit or signal in its own output; the group cannot be used any more")
          .release();
    case WaitEnd::kDeadline:
      break;
  }
  return Status(MUSTER_DEADLINE_EXCEEDED,
                fmt::format("waited {} ms for {}, which lives but did not come",
                            context.timeout_ns / 1000000, whom()),
                "look whether it makes the same calls in the same order; the limit is [group] "
                "timeout_ms")
      .release();
}

}  // namespace

uint64_t GroupContext::deadline() {
  if (deadline_ns == 0) deadline_ns = now_ns() + timeout_ns;
  return deadline_ns;
}

void fill_group_functions(muster_host& host) {
  host.group_info = [](const muster_host_group* group) -> const muster_group_info* {
    return &group->context->info;
  };
  host.group_option = [](const muster_host_group* group, const char* key) -> const char* {
    const auto found = group->options.find(key);
    return found == group->options.end() ? nullptr : found->second.c_str();
  };
  host.all_gather = all_gather;
  host.broadcast = broadcast;
  host.exchange_fds = exchange_fds;
  host.scratch = [](muster_host_group* group, muster_memory memory, uint64_t bytes,
                    void** out) -> muster_status* {
    Result<void*> got = group->context->scratch.get(group, memory, bytes);
    if (!got.ok()) return got.take_status().release();
    *out = *got;
    return nullptr;
  };
  host.deadline_ns = [](const muster_host_group* group) { return group->context->deadline(); };
  host.wait = wait;
  host.signal = [](muster_wait_word* word, uint64_t value) { signal_word(word, value); };
  host.peer_alive = [](muster_host_group* group, uint32_t peer) -> uint32_t {
    Watched watched{group->context, peer};
    return peer < group->context->info.size && watched_alive(&watched) ? 1 : 0;
  };
}

}  // namespace muster
