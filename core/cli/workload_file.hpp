// Reading a workload file: TOML text to a checked Workload. See workload.hpp for what it means.
#ifndef MUSTER_CORE_CLI_WORKLOAD_FILE_HPP
#define MUSTER_CORE_CLI_WORKLOAD_FILE_HPP

#include <string>
#include <string_view>

#include "core/base/status.hpp"
#include "core/cli/workload.hpp"

namespace muster {

// Every name, operation and expression is checked; a failure names file and line.
Result<Workload> parse_workload(std::string_view text, const std::string& path);

}  // namespace muster

#endif
