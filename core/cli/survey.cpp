#include "core/cli/survey.hpp"

namespace muster::cli {

Result<std::unique_ptr<Survey>> take_survey(bool probe, const std::string& config_file) {
  auto survey = std::make_unique<Survey>();
  Result<Config> config = load_config(config_inputs_of_process(config_file));
  if (!config.ok()) return config.take_status();
  survey->config = std::move(*config);
  survey->directories = plugin_directories(survey->config);
  DiscoveryInputs inputs;
  inputs.config = &survey->config;
  inputs.directories = survey->directories;
  inputs.probe = probe;
  survey->found = discover(inputs, survey->records);
  return survey;
}

}  // namespace muster::cli
