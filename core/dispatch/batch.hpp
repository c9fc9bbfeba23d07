// Several calls as one.
#ifndef MUSTER_CORE_DISPATCH_BATCH_HPP
#define MUSTER_CORE_DISPATCH_BATCH_HPP

#include <vector>

#include "core/dispatch/group.hpp"

namespace muster {

// Runs prepared calls. Calls of one backend that has execute_batch go to it together; collectives
// of other backends run one after the other. Several messages that cannot all go together are
// refused: run one by one they could wait for each other.
muster_status* run_batch(muster_group& group, const std::vector<muster_call>& calls);

}  // namespace muster

#endif
