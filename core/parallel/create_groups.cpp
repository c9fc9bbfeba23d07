#include "core/parallel/create_groups.hpp"

#include "core/agree/group_setup.hpp"

namespace muster {

Result<std::vector<std::unique_ptr<muster_group>>> create_groups(muster_runtime& runtime,
                                                                 std::span<const GroupWish> wishes,
                                                                 std::span<const uint32_t> everyone,
                                                                 uint64_t tag) {
  std::vector<std::unique_ptr<muster_group>> groups;
  Status failure;
  bool somebody_is_gone = false;
  for (const GroupWish& wish : wishes) {
    // Waiting once is enough. The tag is drawn all the same: those who wait draw it too.
    if (somebody_is_gone) {
      runtime.next_tag(wish.ranks);
      continue;
    }
    Result<std::unique_ptr<muster_group>> group = create_group(runtime, wish.options(), wish.ranks);
    if (group.ok()) {
      groups.push_back(std::move(*group));
      continue;
    }
    const muster_code code = group.status().code();
    somebody_is_gone = code == MUSTER_PEER_LOST || code == MUSTER_DEADLINE_EXCEEDED;
    if (failure.ok()) failure = group.take_status();
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
