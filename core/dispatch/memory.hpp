// The memory that all ranks of a group know: allocated for it (muster_mem_alloc), or the program's
// own (muster_mem_register).
//
// Every collective function first tells the other ranks what this one is about to do, and fails
// alike on all of them when they differ or one cannot. A backend is all or none: where one rank
// could not register, the others take it back, and calls are served by copying. Ranks that do not
// come break the group. Thread rule: the group's. Lifetime: the group's; what is left over then is
// released after the backends' parts, with a warning. As MPI_Win_allocate, ncclCommRegister.
#ifndef MUSTER_CORE_DISPATCH_MEMORY_HPP
#define MUSTER_CORE_DISPATCH_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.hpp"
#include "muster/types.h"

struct muster_group;

namespace muster {

struct LiveBackend;

class GroupMemory {
 public:
  explicit GroupMemory(muster_group& group) : group_(group) {}
  ~GroupMemory();

  // [collective]; kind may be MUSTER_MEMORY_DEFAULT. NULL for zero bytes.
  Result<void*> allocate(uint64_t bytes, muster_memory kind);
  // [collective], but on a broken group, where it only lets go: nobody is waited for.
  Status release(void* pointer);
  // The same for memory of the program.
  Status add(void* pointer, uint64_t bytes, muster_memory kind);
  Status remove(void* pointer);

  // Whether all of these bytes lie in one piece. [local]
  bool holds(const void* pointer, uint64_t bytes) const;

 private:
  using Memory = std::unique_ptr<void, std::function<void(void*)>>;
  struct Piece {
    uint64_t number;  // in the order of making; equal on all ranks
    std::byte* begin;
    uint64_t bytes;
    muster_memory kind;
    Memory owned;  // none: the program's
    std::vector<std::pair<const LiveBackend*, void*>> registrations;
    bool let_go = false;  // the program is done with it, the group has broken
  };

  Status check_phase() const;
  Status check_kind(muster_memory kind) const;
  Status check_new(const void* pointer, uint64_t bytes) const;
  Result<Memory> make(uint64_t bytes, muster_memory kind) const;
  Piece* starting_at(const void* pointer);
  // Why the group cannot be used; ok when it can.
  Status broken() const;
  // Of this rank's intention, or of the fault that keeps it from it.
  Status agree(const std::string& intention, Status fault);
  Status keep(Piece piece);
  Status take_back(const char* function, void* pointer, bool owned);
  void record(const LiveBackend& backend, const Piece& piece, const std::string& refused);
  void deregister(const LiveBackend& backend, void* registration);

  muster_group& group_;
  uint64_t last_number_ = 0;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::set<std::pair<std::string, bool>> recorded_;  // backend, and whether it knows the memory
};

}  // namespace muster

#endif
