// Calls that the runtime itself makes on a group, as a program would: checked, then run behind
// whatever was started before.
//
// [group-serial], as the calls are.
#ifndef MUSTER_CORE_TENSORS_GROUP_CALL_HPP
#define MUSTER_CORE_TENSORS_GROUP_CALL_HPP

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"
#include "muster/muster.h"

namespace muster {

Status call_group(muster_group& group, muster_call call);

// A record of these bytes in host memory: the group's host channel.
muster_call host_call(muster_op op, const void* send, void* recv, uint64_t bytes);

// Waits for what was started, so that buffers and scratch may be touched outside of calls.
void settle(muster_group& group);
bool is_broken(const muster_group& group);

}  // namespace muster

#endif
