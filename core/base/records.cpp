#include "core/base/records.hpp"

#include <fmt/format.h>

#include "core/base/log.hpp"

namespace muster {

const char* stage_name(Stage stage) {
  switch (stage) {
    case Stage::kDiscover:
      return "discover";
    case Stage::kLoad:
      return "load";
    case Stage::kProbe:
      return "probe";
    case Stage::kQuery:
      return "query";
    case Stage::kAgree:
      return "agree";
    case Stage::kChain:
      return "chain";
    case Stage::kCheck:
      return "check";
    case Stage::kDispatch:
      return "dispatch";
  }
  return "unknown";
}

void Records::add(Record record) {
  if (log_enabled(MUSTER_LOG_DEBUG)) {
    log_debug(fmt::format("{} {} {}{}{}{}{}", stage_name(record.stage), record.subject,
                          record.verdict, record.reason.empty() ? "" : ": ", record.reason,
                          record.source.empty() ? "" : ", by ", record.source));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  records_.push_back(std::move(record));
}

std::vector<Record> Records::all() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return records_;
}

}  // namespace muster
