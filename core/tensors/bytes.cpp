#include "core/tensors/bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/dispatch/dispatch.hpp"
#include "core/tensors/group_call.hpp"

namespace muster {
namespace {

constexpr uint64_t kHeadBytes = 512;
constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

struct Head {
  uint64_t bytes;
  uint32_t code;  // not OK: the bytes are a packed failure
  uint32_t reserved;
  char start[kHeadBytes - 16];
};
static_assert(sizeof(Head) == kHeadBytes);

// Moves one block of this many bytes: from `send` on the sender, to `recv` on a receiver.
using MoveBlock = std::function<Status(const void* send, void* recv, uint64_t bytes)>;

Status give(const OutgoingBytes& out, const MoveBlock& move) {
  std::string failure;
  Head head{};
  const char* data = static_cast<const char*>(out.data);
  head.bytes = out.size;
  if (out.failure != nullptr) {
    failure = pack_failure(*out.failure);
    data = failure.data();
    head.bytes = failure.size();
    head.code = out.failure->code();
  }
  const uint64_t started = std::min<uint64_t>(head.bytes, sizeof(head.start));
  if (started != 0) std::memcpy(head.start, data, started);
  MUSTER_TRY(move(&head, &head, sizeof(head)));
  for (uint64_t done = started; done < head.bytes;) {
    const uint64_t chunk = std::min(head.bytes - done, kChunkBytes);
    MUSTER_TRY(move(data + done, nullptr, chunk));
    done += chunk;
  }
  return Status();
}

// Room for the bytes; without it everything goes into one chunk, over and over.
char* make_room(std::string* bytes, uint64_t size) {
  try {
    bytes->resize(size);
    return bytes->data();
  } catch (const std::exception&) {
    bytes->clear();
    return nullptr;
  }
}

Status take(muster_group& group, const std::string& who, IncomingBytes* in, const MoveBlock& move) {
  Head head{};
  MUSTER_TRY(move(nullptr, &head, sizeof(head)));
  if (head.bytes > static_cast<uint64_t>(INT64_MAX)) {
    return Status(MUSTER_DATA_LOSS,
                  fmt::format("{} announces {} bytes, which is no length", who, head.bytes),
                  "match every muster_send_bytes with a muster_recv_bytes of its peer");
  }
  char* const room = make_room(&in->bytes, head.bytes);
  std::string spare;
  if (room == nullptr && make_room(&spare, kChunkBytes) == nullptr)
    break_group(group, "out of memory while the others send");
  const uint64_t started = std::min<uint64_t>(head.bytes, sizeof(head.start));
  if (room != nullptr) std::memcpy(room, head.start, started);
  for (uint64_t done = started; done < head.bytes;) {
    const uint64_t chunk = std::min(head.bytes - done, kChunkBytes);
    MUSTER_TRY(move(nullptr, room != nullptr ? room + done : spare.data(), chunk));
    done += chunk;
  }
  if (room == nullptr) {
    return Status(MUSTER_RESOURCE_EXHAUSTED,
                  fmt::format("there is no memory for the {} bytes of {}", head.bytes, who));
  }
  if (head.code != MUSTER_OK) in->failure = unpack_failure(head.code, in->bytes, who);
  return Status();
}

std::string rank_of_group(const muster_group& group, uint32_t rank) {
  return fmt::format("rank {} of group {}", rank, group.name);
}

}  // namespace

std::string pack_failure(const Status& failure) {
  return failure.cause() + '\0' + failure.remedy();
}

Status unpack_failure(muster_code code, const std::string& text, const std::string& who) {
  const size_t end = std::min(text.find('\0'), text.size());
  return Status(code < MUSTER_CODE_END ? code : muster_code{MUSTER_INTERNAL},
                fmt::format("{}: {}", who, text.substr(0, end)),
                end < text.size() ? text.substr(end + 1) : std::string());
}

Status broadcast_bytes(muster_group& group, const OutgoingBytes& out, uint32_t root,
                       IncomingBytes* in) {
  const bool gives = group.rank == root;
  // The root's bytes are not its own to be written to, which in place a backend may do.
  std::string echo;
  const auto move = [&](const void* send, void* recv, uint64_t bytes) {
    if (gives && recv == nullptr) {
      echo.resize(bytes);
      recv = echo.data();
    }
    muster_call call = host_call(MUSTER_BROADCAST, send, recv, bytes);
    call.root = root;
    return call_group(group, call);
  };
  return gives ? give(out, move) : take(group, rank_of_group(group, root), in, move);
}

Status send_bytes(muster_group& group, const OutgoingBytes& out, uint32_t peer) {
  return give(out, [&](const void* send, void*, uint64_t bytes) {
    muster_call call = host_call(MUSTER_SEND, send, nullptr, bytes);
    call.peer = peer;
    return call_group(group, call);
  });
}

Status recv_bytes(muster_group& group, uint32_t peer, IncomingBytes* in) {
  return take(group, rank_of_group(group, peer), in, [&](const void*, void* recv, uint64_t bytes) {
    muster_call call = host_call(MUSTER_RECV, nullptr, recv, bytes);
    call.peer = peer;
    return call_group(group, call);
  });
}

}  // namespace muster
