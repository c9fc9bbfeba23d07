// All ranks of a group say whether they can go on, on its host channel: one small all_gather, and
// a second one with the texts when somebody cannot.
//
// [group-serial] [collective]
#ifndef MUSTER_CORE_TENSORS_VOTE_HPP
#define MUSTER_CORE_TENSORS_VOTE_HPP

#include "core/base/digest.hpp"
#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

// Ok on every rank, or the same failure on every rank: what those who said no gave as causes, each
// with its rank. `alike` must be equal on all ranks that say yes; `what` says what it stands for.
Status vote(muster_group& group, const Status& own, const Digest& alike = {},
            const char* what = "");

}  // namespace muster

#endif
