// Checked mode: overlap of buffers, buffers that are said to be registered and are not, and the
// whole selection key compared across the ranks before a collective runs.
#ifndef MUSTER_CORE_DISPATCH_CHECKED_HPP
#define MUSTER_CORE_DISPATCH_CHECKED_HPP

#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

// Overlap that is not one of the in-place layouts; [local].
Status check_overlap(const muster_group& group, const muster_call& call);
// Buffers of a call that says MUSTER_CALL_SYMMETRIC and lie outside the group's memory; [local].
Status check_symmetric(const muster_group& group, const muster_call& call);
// Both, then the comparison; [collective] for everything but point-to-point. The cause names the
// ranks that differ and in what. A rank that does not come breaks the group.
Status check_across_ranks(muster_group& group, const muster_call& call);

}  // namespace muster

#endif
