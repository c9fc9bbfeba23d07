// What discovery found, for `muster list` and muster_runtime_describe.
#ifndef MUSTER_CORE_EXPLAIN_DESCRIBE_HPP
#define MUSTER_CORE_EXPLAIN_DESCRIBE_HPP

#include <string>
#include <vector>

#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"

namespace muster {

// "muster.list/1": plugins found, with state, stage, reason and facts, and the decision records.
// failed_only: only what cannot be used, also what the configuration has switched off.
std::string describe_plugins_json(const std::vector<FoundPlugin>& found,
                                  const std::vector<Record>& records, bool failed_only = false);
// The same for people.
std::string describe_plugins_text(const std::vector<FoundPlugin>& found, bool failed_only);

}  // namespace muster

#endif
