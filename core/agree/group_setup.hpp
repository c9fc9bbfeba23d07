// Makes a group: offers -> agreement -> prepare, vote, connect -> known answers -> compiled chain.
// All or none on every rank.
#ifndef MUSTER_CORE_AGREE_GROUP_SETUP_HPP
#define MUSTER_CORE_AGREE_GROUP_SETUP_HPP

#include <memory>
#include <vector>

#include "core/agree/runtime.hpp"
#include "core/base/status.hpp"
#include "core/dispatch/group.hpp"

namespace muster {

// ranks: world ranks in group order, this rank among them. [collective over ranks]
Result<std::unique_ptr<muster_group>> create_group(muster_runtime& runtime,
                                                   const muster_group_options& options,
                                                   std::vector<uint32_t> ranks);

// From here on the runtime knows the group, and destroys it at the end if nobody does.
muster_group* keep_group(std::unique_ptr<muster_group> group);
// Ends this rank's part of a group that was kept.
void end_group(muster_group* group);

}  // namespace muster

#endif
