// What discovery found, for `muster list` and muster_runtime_describe.
#ifndef MUSTER_CORE_EXPLAIN_DESCRIBE_HPP
#define MUSTER_CORE_EXPLAIN_DESCRIBE_HPP

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"
#include "core/query/kernel_table.hpp"

namespace muster {

// "muster.list/1": plugins found, with state, stage, reason and facts, the kernels in use and the
// decision records. failed_only: only what cannot be used, also what the configuration has switched
// off.
std::string describe_plugins_json(const std::vector<FoundPlugin>& found,
                                  const std::vector<Record>& records, bool failed_only = false,
                                  const std::vector<KernelsInUse>& kernels = {});
// The same for people; of the records, with failed_only, what the configuration names and is not
// there.
std::string describe_plugins_text(const std::vector<FoundPlugin>& found,
                                  const std::vector<Record>& records, bool failed_only);
// Whether a record is of something that the configuration names and that discovery did not get: a
// directory, a plugin.
bool is_configured_in_vain(const Record& record);

// A line per family and algorithm: which instruction set, from which pack.
std::string describe_kernels_text(const std::vector<KernelsInUse>& kernels);
nlohmann::ordered_json describe_kernels_json(const std::vector<KernelsInUse>& kernels);

}  // namespace muster

#endif
