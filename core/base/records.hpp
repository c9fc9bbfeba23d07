// Decision records: every decision from discovery to dispatch is one of these. Logs, `muster list`,
// `muster explain` and the JSON of both are printed from them, so that they cannot drift from what
// happened.
#ifndef MUSTER_CORE_BASE_RECORDS_HPP
#define MUSTER_CORE_BASE_RECORDS_HPP

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

enum class Stage { kDiscover, kLoad, kProbe, kQuery, kAgree, kChain, kCheck, kDispatch };
const char* stage_name(Stage stage);

struct Record {
  Stage stage = Stage::kDiscover;
  std::string subject;  // a file, a plugin id, a group
  std::string verdict;  // "used", "refused", "left out", ...
  std::string reason;   // the cause, one sentence
  std::string
      source;  // what decided: "/etc/muster/muster.toml:14:3", a file, "plugin"; may be empty
};

// A growing list; any thread. Each record is logged (debug) as it is added.
class Records {
 public:
  void add(Record record);
  std::vector<Record> all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};

}  // namespace muster

#endif
