// Makes several groups one after the other, all or none on every rank of a larger set.
#ifndef MUSTER_CORE_PARALLEL_CREATE_GROUPS_HPP
#define MUSTER_CORE_PARALLEL_CREATE_GROUPS_HPP

#include <memory>
#include <span>
#include <vector>

#include "core/agree/exchange.hpp"
#include "core/agree/runtime.hpp"
#include "core/dispatch/group.hpp"
#include "core/parallel/wish.hpp"

namespace muster {

// This rank's groups in the order of `wishes`, which must be part of one order over all ranks.
// `everyone` is who has to agree in the end: the ranks of all groups, with a tag of theirs.
// Rationale: a rank whose group failed goes on with the next, where others may wait for it; only
// the vote ends it for all. [collective over everyone]
Result<std::vector<std::unique_ptr<muster_group>>> create_groups(muster_runtime& runtime,
                                                                 std::span<const GroupWish> wishes,
                                                                 std::span<const uint32_t> everyone,
                                                                 uint64_t tag);

}  // namespace muster

#endif
