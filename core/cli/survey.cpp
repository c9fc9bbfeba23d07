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
  if (survey->config.plugins_probe.value != ProbeMode::kNever) {  // else they would be opened
    survey->kernels.add_found(survey->found, survey->config, survey->records);
    const ReadyPacks ready = survey->kernels.ready();
    survey->kernels.agree({&ready}, survey->records);
  }
  return survey;
}

std::vector<std::unique_ptr<Plugin>> open_plugins(Survey& survey, bool and_unavailable) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  for (FoundPlugin& found : survey.found) {
    const bool unavailable = found.state == PluginState::kUnavailable;
    if (found.state != PluginState::kUsable && !(and_unavailable && unavailable)) continue;
    Result<std::unique_ptr<Plugin>> plugin =
        Plugin::open(found, survey.config, survey.records, nullptr, &survey.kernels);
    if (plugin.ok()) {
      plugins.push_back(std::move(*plugin));
      continue;
    }
    if (unavailable) continue;
    found.state = PluginState::kRefused;
    found.stage = Stage::kLoad;
    found.reason = plugin.status().message();
    survey.records.add(
        {found.stage, found.path, plugin_state_name(found.state), found.reason, found.source});
  }
  return plugins;
}

}  // namespace muster::cli
