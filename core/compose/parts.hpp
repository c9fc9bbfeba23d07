// What the compositions share: running a part through the group's table, scratch, copies.
#ifndef MUSTER_CORE_COMPOSE_PARTS_HPP
#define MUSTER_CORE_COMPOSE_PARTS_HPP

#include <cstring>

#include "core/compose/recipes.hpp"
#include "core/dispatch/dispatch.hpp"
#include "core/dispatch/group.hpp"
#include "muster/muster.h"

// Returns the failure of a part.
#define MUSTER_PART(expression)                                        \
  do {                                                                 \
    if (muster_status* part_status = (expression)) return part_status; \
  } while (false)

namespace muster {

inline muster_group& group_of(muster_backend_group* state) {
  return *reinterpret_cast<muster_group*>(state);
}

// Checks and runs one part; the part is told apart from the program's calls by nothing but its
// caller.
inline muster_status* run_part(muster_group& group, muster_call part) {
  if (const Refusal refusal = prepare_any(group, part); refusal != Refusal::kNone) {
    return refuse_call(group, part, refusal);
  }
  return run_now(group, part);
}

// A part like the whole, as another operation.
inline muster_call part_of(const muster_call& whole, muster_op op) {
  muster_call part = whole;
  part.op = op;
  part.recv_dtype = MUSTER_DTYPE_NONE;
  part.fused = nullptr;
  return part;
}

// Scratch is kept apart per recipe: a part may be a composition with scratch of its own.
inline Scratch::User scratch_user(const muster_group& group, Recipe recipe) {
  return reinterpret_cast<const char*>(&group) + static_cast<size_t>(recipe);
}

inline muster_status* take_scratch(muster_group& group, const muster_call& call, Recipe recipe,
                                   uint64_t bytes, char** out) {
  Result<void*> got =
      group.context.scratch.get(scratch_user(group, recipe), call.recv_memory, bytes);
  if (!got.ok()) return got.take_status().release();
  *out = static_cast<char*>(*got);
  return nullptr;
}

inline void copy_bytes(void* to, const void* from, uint64_t bytes) {
  if (bytes != 0 && to != from) std::memmove(to, from, bytes);
}

}  // namespace muster

#endif
