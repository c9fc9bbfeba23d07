// The configuration and the plugins of this machine, as the reading verbs see them: no launcher, no
// device context.
#ifndef MUSTER_CORE_CLI_SURVEY_HPP
#define MUSTER_CORE_CLI_SURVEY_HPP

#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"
#include "core/query/kernel_table.hpp"
#include "core/query/plugin.hpp"

namespace muster::cli {

struct Survey {
  Config config;
  Records records;
  std::vector<std::string> directories;
  std::vector<FoundPlugin> found;
  KernelTable kernels;  // those that this machine would use
};

// probe = false opens nothing: verdicts come from the cache, or plugins are shown as unprobed.
Result<std::unique_ptr<Survey>> take_survey(bool probe, const std::string& config_file = "");

// Opens what may be used. What cannot be opened after all (its options are wrong, say) becomes
// refused at load in the survey. and_unavailable: also what has nothing to serve here, to ask it
// about other machines.
std::vector<std::unique_ptr<Plugin>> open_plugins(Survey& survey, bool and_unavailable = false);

}  // namespace muster::cli

#endif
