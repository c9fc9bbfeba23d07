#include "core/dispatch/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "core/agree/exchange.hpp"
#include "core/agree/runtime.hpp"
#include "core/base/log.hpp"
#include "core/base/names.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/queue.hpp"
#include "core/query/host_memory.hpp"

namespace muster {
namespace {

constexpr std::string_view kFault = "fault: ";

// An exchange among the ranks of a group, with a deadline of its own.
Exchange exchange_of(muster_group& group) {
  group.context.begin_operation();
  return Exchange(*group.context.world, group.context.world_ranks, group.context.info.tag,
                  group.context.deadline());
}

// Runs what makes something, so that a rank that is out of memory can still tell the others.
template <typename Body>
Status caught(Body&& body) {
  return Status(at_boundary(std::forward<Body>(body)));
}

}  // namespace

GroupMemory::~GroupMemory() {
  uint64_t count = 0;
  uint64_t bytes = 0;
  for (const auto& piece : pieces_) {
    if (piece->owned == nullptr || piece->let_go) continue;
    count += 1;
    bytes += piece->bytes;
  }
  if (count == 0) return;
  log_warn(fmt::format(
      "group {} ends with {} bytes of muster_mem_alloc in {} pieces, which end with it; free "
      "them with muster_mem_free first",
      group_.name, bytes, count));
}

bool GroupMemory::holds(const void* pointer, uint64_t bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  return std::any_of(pieces_.begin(), pieces_.end(), [&](const auto& piece) {
    const uint64_t offset = begin - reinterpret_cast<uintptr_t>(piece->begin);
    return offset <= piece->bytes && bytes <= piece->bytes - offset;
  });
}

GroupMemory::Piece* GroupMemory::starting_at(const void* pointer) {
  const auto found = std::find_if(pieces_.begin(), pieces_.end(),
                                  [&](const auto& piece) { return piece->begin == pointer; });
  return found == pieces_.end() ? nullptr : found->get();
}

Status GroupMemory::broken() const {
  if ((group_.attention.load(std::memory_order_acquire) & kAttentionBroken) == 0) return Status();
  return Status(MUSTER_FAILED_PRECONDITION,
                fmt::format("group {} is broken: {}", group_.name, group_.broken_by),
                "destroy the group and create it anew among the ranks that live");
}

Status GroupMemory::check_kind(muster_memory kind) const {
  if (kind >= MUSTER_MEMORY_END) {
    return Status(MUSTER_INVALID_ARGUMENT, fmt::format("there is no memory kind {}", kind),
                  "use a value of muster_memory");
  }
  if (kind != MUSTER_HOST && group_.context.devices->find(kind) == nullptr) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("no plugin knows {} memory here", memory_name(kind)),
                  "install the plugin that gives muster.device/1 for it");
  }
  return check_phase();
}

Status GroupMemory::check_phase() const {
  if (group_.phase == MUSTER_EAGER) return Status();
  return Status(MUSTER_FAILED_PRECONDITION,
                fmt::format("group {} is in phase {}", group_.name, phase_name(group_.phase)),
                "do it before muster_graph_begin, or after muster_graph_end");
}

Status GroupMemory::check_new(const void* pointer, uint64_t bytes) const {
  if (pointer == nullptr || bytes == 0) {
    return Status(MUSTER_INVALID_ARGUMENT, "there is nothing to register",
                  "give an address and a size that is not zero");
  }
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  if (bytes > UINTPTR_MAX - begin)
    return Status(MUSTER_OUT_OF_RANGE, "the memory ends beyond the address space");
  for (const auto& piece : pieces_) {
    const auto other = reinterpret_cast<uintptr_t>(piece->begin);
    if (begin >= other + piece->bytes || other >= begin + bytes) continue;
    return Status(
        MUSTER_INVALID_ARGUMENT,
        fmt::format("{} bytes at {} overlap memory {} of group {}, {} bytes at {}", bytes, pointer,
                    piece->number, group_.name, piece->bytes, static_cast<void*>(piece->begin)),
        "memory is registered with a group once; what muster_mem_alloc gives already is");
  }
  return Status();
}

Result<GroupMemory::Memory> GroupMemory::make(uint64_t bytes, muster_memory kind) const {
  if (bytes == 0) return Memory(nullptr, [](void*) {});
  if (kind == MUSTER_HOST) {
    Result<std::unique_ptr<HostMemory>> made = HostMemory::allocate(bytes);
    if (!made.ok()) return made.take_status();
    HostMemory* const host = made->release();
    return Memory(host->data(), [host](void*) { delete host; });
  }
  const Device device = *group_.context.devices->find(kind);
  const uint32_t index = group_.context.device();
  void* made = nullptr;
  if (Status status(device.table->allocate(device.instance, index, bytes, &made)); !status.ok()) {
    return status.within(
        fmt::format("{} bytes in {} memory of device {}", bytes, memory_name(kind), index));
  }
  return Memory(made, [device, index](void* pointer) {
    device.table->free(device.instance, index, pointer);
  });
}

Status GroupMemory::agree(const std::string& intention, Status fault) {
  if (group_.size == 1) return fault;
  Exchange exchange = exchange_of(group_);
  Result<std::vector<std::string>> all = exchange.gather(Result<std::string>(
      fault.ok() ? intention : fmt::format("{}{} {}", kFault, fault.code(), fault.cause())));
  if (!all.ok()) return ranks_are_apart(group_, all.status(), "memory");
  if (!fault.ok()) return fault;
  muster_code code = MUSTER_MISMATCH;
  std::string faults;
  std::string differing;
  for (uint32_t r = 0; r < group_.size; ++r) {
    const std::string& theirs = (*all)[r];
    if (theirs.starts_with(kFault)) {
      char* cause = nullptr;
      const unsigned long number = std::strtoul(theirs.c_str() + kFault.size(), &cause, 10);
      if (faults.empty()) code = static_cast<muster_code>(number);
      faults += fmt::format("{}rank {}:{}", faults.empty() ? "" : "; ", r, cause);
    } else if (theirs != intention) {
      differing += fmt::format("; rank {}: {}", r, theirs);
    }
  }
  if (!faults.empty()) {
    return Status(code, fmt::format("{} on group {}: {}", intention, group_.name, faults),
                  "nothing was done on any rank");
  }
  if (differing.empty()) return Status();
  return Status(code,
                fmt::format("the ranks of group {} make different calls: rank {}: {}{}",
                            group_.name, group_.rank, intention, differing),
                "nothing was done; make the same call on every rank, in the same order");
}

void GroupMemory::record(const LiveBackend& backend, const Piece& piece,
                         const std::string& refused) {
  // Once per backend and verdict: a program may allocate in a loop.
  if (!recorded_.insert({backend.plugin->id(), refused.empty()}).second) return;
  group_.runtime->records.add(
      {Stage::kDispatch,
       fmt::format("memory {} of group {}, {} bytes of {}", piece.number, group_.name, piece.bytes,
                   memory_name(piece.kind)),
       refused.empty() ? "registered" : "not registered",
       refused.empty() ? fmt::format("with {}", backend.plugin->id())
                       : fmt::format("with {}, which copies: {}", backend.plugin->id(), refused),
       "plugin"});
}

void GroupMemory::deregister(const LiveBackend& backend, void* registration) {
  if (backend.table->memory_deregister == nullptr) return;
  group_.context.begin_operation();
  backend.table->memory_deregister(backend.state, registration);
}

// Registers a piece with every backend that can, and keeps it.
Status GroupMemory::keep(Piece made) {
  pieces_.push_back(std::make_unique<Piece>(std::move(made)));
  Piece& piece = *pieces_.back();
  std::vector<std::string> causes;
  std::vector<std::pair<const LiveBackend*, void*>> tried;
  for (const LiveBackend& backend : group_.backends) {
    if (backend.table->memory_register == nullptr) continue;
    group_.context.begin_operation();
    void* registration = nullptr;
    const Status status(backend.table->memory_register(backend.state, piece.begin, piece.bytes,
                                                       piece.kind, &registration));
    causes.push_back(status.ok() ? "" : status.cause());
    tried.emplace_back(&backend, registration);
  }
  if (tried.empty()) return Status();
  Exchange exchange = exchange_of(group_);
  Result<std::vector<std::string>> refused = exchange.vote(causes);
  if (!refused.ok()) {
    piece.let_go = true;
    return ranks_are_apart(group_, refused.status(), "memory");
  }
  for (size_t i = 0; i < tried.size(); ++i) {
    const auto& [backend, registration] = tried[i];
    record(*backend, piece, (*refused)[i]);
    if ((*refused)[i].empty()) {
      piece.registrations.push_back(tried[i]);
    } else if (causes[i].empty()) {
      deregister(*backend, registration);
    }
  }
  return Status();
}

Result<void*> GroupMemory::allocate(uint64_t bytes, muster_memory kind) {
  MUSTER_TRY(broken());
  group_.queue->drain();
  if (kind == MUSTER_MEMORY_DEFAULT) kind = group_.memory;
  Memory memory;
  Status fault = caught([&]() -> Status {
    MUSTER_TRY(check_kind(kind));
    Result<Memory> made = make(bytes, kind);
    if (made.ok()) memory = std::move(*made);
    return made.take_status();
  });
  const uint64_t number = ++last_number_;
  MUSTER_TRY(agree(fmt::format("muster_mem_alloc of {} bytes of {} memory", bytes,
                               kind < MUSTER_MEMORY_END ? memory_name(kind) : "unknown"),
                   std::move(fault)));
  void* const pointer = memory.get();
  if (pointer == nullptr) return pointer;
  MUSTER_TRY(
      keep({number, static_cast<std::byte*>(pointer), bytes, kind, std::move(memory), {}, false}));
  return pointer;
}

Status GroupMemory::add(void* pointer, uint64_t bytes, muster_memory kind) {
  MUSTER_TRY(broken());
  group_.queue->drain();
  if (kind == MUSTER_MEMORY_DEFAULT) kind = group_.memory;
  Status fault = check_kind(kind);
  if (fault.ok()) fault = check_new(pointer, bytes);
  const uint64_t number = ++last_number_;
  MUSTER_TRY(agree(fmt::format("muster_mem_register of {} bytes of {} memory", bytes,
                               kind < MUSTER_MEMORY_END ? memory_name(kind) : "unknown"),
                   std::move(fault)));
  return keep({number, static_cast<std::byte*>(pointer), bytes, kind, nullptr, {}, false});
}

Status GroupMemory::take_back(const char* function, void* pointer, bool owned) {
  Piece* const piece = starting_at(pointer);
  Status fault;
  if (piece == nullptr || piece->let_go) {
    fault = Status(MUSTER_INVALID_ARGUMENT,
                   fmt::format("{} is not the begin of memory of group {}", pointer, group_.name),
                   "give the pointer and the group of the allocation or registration");
  } else if ((piece->owned != nullptr) != owned) {
    fault = Status(MUSTER_INVALID_ARGUMENT,
                   fmt::format("memory {} of group {} was {}", piece->number, group_.name,
                               owned ? "registered, not allocated" : "allocated, not registered"),
                   owned ? "use muster_mem_deregister" : "use muster_mem_free");
  } else {
    fault = check_phase();
  }
  if (!broken().ok()) {
    if (fault.ok()) piece->let_go = true;
    return fault;
  }
  group_.queue->drain();
  const std::string intention =
      fmt::format("{} of memory {}", function, piece == nullptr ? 0 : piece->number);
  if (Status status = agree(intention, std::move(fault)); !status.ok()) {
    if (piece != nullptr && !broken().ok()) piece->let_go = true;
    return status;
  }
  for (const auto& [backend, registration] : piece->registrations)
    deregister(*backend, registration);
  piece->registrations.clear();
  // A device may forbid to free what another process still has mapped; files outlive their owner.
  if (owned && piece->kind != MUSTER_HOST) {
    if (Status status = agree("deregistered", Status()); !status.ok()) {
      piece->let_go = true;
      return status;
    }
  }
  std::erase_if(pieces_, [&](const auto& kept) { return kept.get() == piece; });
  return Status();
}

Status GroupMemory::release(void* pointer) { return take_back("muster_mem_free", pointer, true); }
Status GroupMemory::remove(void* pointer) {
  return take_back("muster_mem_deregister", pointer, false);
}

}  // namespace muster
