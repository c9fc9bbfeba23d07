// muster.h: memory that every rank of a group knows.
#include "core/dispatch/memory.hpp"

#include "core/capi/boundary.hpp"
#include "core/dispatch/group.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::null_argument;
using muster::Status;

muster_status* muster_mem_alloc(muster_group* group, uint64_t bytes, muster_memory memory,
                                void** out) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_mem_alloc", "group");
    if (out == nullptr) return null_argument("muster_mem_alloc", "out");
    muster::Result<void*> made = group->registered.allocate(bytes, memory);
    if (made.ok()) *out = *made;
    return made.take_status();
  });
}

muster_status* muster_mem_free(muster_group* group, void* pointer) {
  return at_boundary([&]() -> Status {
    if (pointer == nullptr) return Status();
    if (group == nullptr) return null_argument("muster_mem_free", "group");
    return group->registered.release(pointer);
  });
}

muster_status* muster_mem_register(muster_group* group, void* pointer, uint64_t bytes,
                                   muster_memory memory) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_mem_register", "group");
    return group->registered.add(pointer, bytes, memory);
  });
}

muster_status* muster_mem_deregister(muster_group* group, void* pointer) {
  return at_boundary([&]() -> Status {
    if (group == nullptr) return null_argument("muster_mem_deregister", "group");
    return group->registered.remove(pointer);
  });
}
