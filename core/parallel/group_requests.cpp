#include "core/parallel/group_requests.hpp"

#include <numeric>

#include "core/agree/exchange.hpp"
#include "core/parallel/create_groups.hpp"

namespace muster {

Result<std::vector<std::unique_ptr<muster_group>>> request_groups(
    muster_runtime& runtime, Result<std::vector<GroupWish>> wishes) {
  std::vector<uint32_t> everyone(runtime.world->size());
  std::iota(everyone.begin(), everyone.end(), 0u);
  const uint64_t tag = runtime.next_tag(everyone);
  Exchange exchange(*runtime.world, everyone, tag, runtime.setup_deadline());
  Result<std::vector<std::string>> told =
      exchange.gather(wishes.ok() ? Result<std::string>(encode(*wishes)) : wishes.status().copy());
  if (!told.ok()) return told.take_status();
  std::vector<std::vector<TextWish>> by_rank;
  for (const std::string& bytes : *told) {
    Result<std::vector<TextWish>> decoded = decode_wishes(bytes);
    if (!decoded.ok()) return decoded.take_status();
    by_rank.push_back(std::move(*decoded));
  }
  MUSTER_TRY(check_wishes(by_rank));

  const std::vector<size_t> order = creation_order(*wishes);
  std::vector<GroupWish> ordered;
  for (const size_t index : order) ordered.push_back(std::move((*wishes)[index]));
  auto made = create_groups(runtime, ordered, everyone, tag);
  if (!made.ok()) return made.take_status();
  std::vector<std::unique_ptr<muster_group>> groups(order.size());
  for (size_t i = 0; i < order.size(); ++i) groups[order[i]] = std::move((*made)[i]);
  return groups;
}

}  // namespace muster
