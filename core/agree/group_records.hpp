// The records of a group's ranks that offers are asked with, as they are when the group is made.
#ifndef MUSTER_CORE_AGREE_GROUP_RECORDS_HPP
#define MUSTER_CORE_AGREE_GROUP_RECORDS_HPP

#include <cstdint>
#include <vector>

#include "core/agree/exchange.hpp"
#include "core/agree/rank_record.hpp"
#include "core/agree/runtime.hpp"

namespace muster {

// Those of the runtime, by group rank. Where a rank builds kernels of devices in the background,
// all of them ask their backends with such kernels again and tell each other: what has been
// finished serves this group. Collective over the ranks.
Result<std::vector<RankRecord>> records_of_group(muster_runtime& runtime,
                                                 const std::vector<uint32_t>& ranks,
                                                 Exchange& exchange);

}  // namespace muster

#endif
