#include "core/parallel/create_groups.hpp"

#include "core/agree/group_setup.hpp"

namespace muster {

Result<std::vector<std::unique_ptr<muster_group>>> create_groups(muster_runtime& runtime,
                                                                 std::span<const GroupWish> wishes,
                                                                 std::span<const uint32_t> everyone,
                                                                 uint64_t tag) {
  std::vector<std::unique_ptr<muster_group>> groups;
  Status failure;
  for (const GroupWish& wish : wishes) {
    Result<std::unique_ptr<muster_group>> group = create_group(runtime, wish.options(), wish.ranks);
    if (group.ok()) {
      groups.push_back(std::move(*group));
      continue;
    }
    if (failure.ok()) failure = group.take_status();
    // Somebody is not there: waiting for the others to notice it in turn would only add up.
    if (failure.code() == MUSTER_PEER_LOST || failure.code() == MUSTER_DEADLINE_EXCEEDED) break;
  }
  Exchange exchange(*runtime.world, everyone, tag, runtime.setup_deadline());
  const std::vector<std::string> causes = {failure.cause()};
  Result<std::vector<std::string>> vote = exchange.vote(causes);
  if (!failure.ok()) return failure;
  if (!vote.ok()) return vote.take_status();
  if (!vote->front().empty()) {
    return Status(MUSTER_ABORTED, "the groups were made nowhere: " + vote->front(),
                  "mend what the ranks say");
  }
  return groups;
}

}  // namespace muster
