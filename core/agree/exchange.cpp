#include "core/agree/exchange.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"

namespace muster {
namespace {

using Json = nlohmann::json;

std::string pack(const std::vector<std::string>& texts) { return json_text(Json(texts)); }

Result<std::vector<std::string>> unpack(const std::string& bytes, size_t count, size_t rank) {
  const Json json = parse_json_or_discard(bytes);
  if (!json.is_array() || json.size() != count) {
    return Status(MUSTER_DATA_LOSS, fmt::format("the record of rank {} cannot be read", rank));
  }
  std::vector<std::string> texts;
  for (const Json& text : json) texts.push_back(text.is_string() ? text.get<std::string>() : "");
  return texts;
}

}  // namespace

Result<std::vector<Difference>> Exchange::compare(std::span<const Compared> items) {
  std::vector<uint64_t> digests;
  for (const Compared& item : items) {
    const Digest digest = digest_of(item.text);
    digests.push_back(digest.low);
    digests.push_back(digest.high);
  }
  Result<std::vector<MinMax>> ranges = world_.min_max(ranks_, tag_, digests, deadline_ns_);
  if (!ranges.ok()) return ranges.take_status();
  std::vector<size_t> differing;
  std::vector<std::string> texts;
  for (size_t i = 0; i < items.size(); ++i) {
    const MinMax& low = (*ranges)[2 * i];
    const MinMax& high = (*ranges)[2 * i + 1];
    if (low.min == low.max && high.min == high.max) continue;
    differing.push_back(i);
    texts.push_back(items[i].text);
  }
  std::vector<Difference> differences;
  if (differing.empty()) return differences;
  Result<std::vector<std::string>> packed =
      world_.all_gather(ranks_, tag_, pack(texts), deadline_ns_);
  if (!packed.ok()) return packed.take_status();
  std::vector<std::vector<std::string>> by_rank;
  for (size_t r = 0; r < packed->size(); ++r) {
    Result<std::vector<std::string>> unpacked = unpack((*packed)[r], texts.size(), r);
    if (!unpacked.ok()) return unpacked.take_status();
    by_rank.push_back(std::move(*unpacked));
  }
  for (size_t i = 0; i < differing.size(); ++i) {
    for (uint32_t r = 1; r < by_rank.size(); ++r) {
      if (by_rank[r][i] == by_rank[0][i]) continue;
      differences.push_back({differing[i], r, by_rank[0][i], by_rank[r][i]});
      break;
    }
  }
  return differences;
}

Result<std::vector<std::string>> Exchange::vote(std::span<const std::string> causes) {
  std::vector<std::string> result(causes.size());
  if (causes.empty()) return result;
  std::vector<uint64_t> flags;
  for (const std::string& cause : causes) flags.push_back(cause.empty() ? 0 : 1);
  Result<std::vector<uint64_t>> worst = largest(flags);
  if (!worst.ok()) return worst.take_status();
  std::vector<std::string> mine;
  std::vector<size_t> refused;
  for (size_t i = 0; i < causes.size(); ++i) {
    if ((*worst)[i] == 0) continue;
    refused.push_back(i);
    mine.push_back(causes[i]);
  }
  if (refused.empty()) return result;
  Result<std::vector<std::string>> packed =
      world_.all_gather(ranks_, tag_, pack(mine), deadline_ns_);
  if (!packed.ok()) return packed.take_status();
  for (size_t r = 0; r < packed->size(); ++r) {
    Result<std::vector<std::string>> texts = unpack((*packed)[r], mine.size(), r);
    if (!texts.ok()) return texts.take_status();
    for (size_t i = 0; i < refused.size(); ++i) {
      if ((*texts)[i].empty()) continue;
      std::string& all = result[refused[i]];
      all += fmt::format("{}rank {}: {}", all.empty() ? "" : "; ", r, (*texts)[i]);
    }
  }
  return result;
}

Result<std::vector<std::string>> Exchange::gather(const Result<std::string>& mine) {
  const Status& failure = mine.status();
  Result<std::vector<std::string>> packed = world_.all_gather(
      ranks_, tag_,
      mine.ok() ? pack({*mine})
                : pack({std::to_string(failure.code()), failure.cause(), failure.remedy()}),
      deadline_ns_);
  if (!packed.ok()) return packed.take_status();
  std::vector<std::string> texts;
  muster_code code = MUSTER_OK;
  std::string causes;
  std::string remedy;
  for (size_t r = 0; r < packed->size(); ++r) {
    const Json record = parse_json_or_discard((*packed)[r]);
    const bool failed = record.is_array() && record.size() == 3;
    Result<std::vector<std::string>> parts = unpack((*packed)[r], failed ? 3 : 1, r);
    if (!parts.ok()) return parts.take_status();
    if (!failed) {
      texts.push_back(std::move(parts->front()));
      continue;
    }
    if (causes.empty()) {
      code = static_cast<muster_code>(std::strtoul((*parts)[0].c_str(), nullptr, 10));
      remedy = (*parts)[2];
    }
    causes += fmt::format("{}rank {}: {}", causes.empty() ? "" : "; ", r, (*parts)[1]);
  }
  if (!causes.empty()) return Status(code, causes, remedy);
  return texts;
}

Result<std::vector<uint64_t>> Exchange::largest(std::span<const uint64_t> values) {
  Result<std::vector<MinMax>> ranges = world_.min_max(ranks_, tag_, values, deadline_ns_);
  if (!ranges.ok()) return ranges.take_status();
  std::vector<uint64_t> out;
  for (const MinMax& range : *ranges) out.push_back(range.max);
  return out;
}

}  // namespace muster
