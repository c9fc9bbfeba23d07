#include "core/query/variant_plugins.hpp"

#include <fmt/format.h>

#include "core/base/arguments.hpp"

namespace muster {
namespace {

// Of the devices that the plugin sees here. In a process that has probed it itself a driver is in
// use already, and works in no child.
std::vector<std::string> architectures_here(const Plugin& plugin, bool probed_here,
                                            std::vector<std::string>& faults) {
  const auto ask = [&](size_t) {
    const Result<std::vector<std::string>> known = plugin.variants().architectures();
    BuildOutcome outcome{plugin.id()};
    outcome.state = known.ok() ? BuildOutcome::State::kReady : BuildOutcome::State::kFailed;
    outcome.text =
        known.ok() ? fmt::format("{}", fmt::join(*known, " ")) : known.status().message();
    return outcome;
  };
  const std::vector<BuildOutcome> asked =
      probed_here ? std::vector<BuildOutcome>{ask(0)}
                  : run_builds({plugin.id()}, 1, -1, ask, [](const BuildOutcome&) {});
  if (asked.empty()) return {};
  if (asked.front().state == BuildOutcome::State::kFailed) {
    faults.push_back(
        fmt::format("{} does not tell its devices: {}", plugin.id(), asked.front().text));
    return {};
  }
  return words_of(asked.front().text);
}

}  // namespace

VariantPlugins::VariantPlugins(const std::vector<FoundPlugin>& found, const Config& config,
                               Records& records, const KernelTable* kernels)
    : probed_here_(config.plugins_probe.value == ProbeMode::kInProcess) {
  for (const FoundPlugin& plugin : found) {
    const bool sound =
        plugin.state == PluginState::kUsable || plugin.state == PluginState::kUnavailable;
    if (!sound || !plugin.entry.gives(MUSTER_VARIANTS_INTERFACE)) continue;
    Result<std::unique_ptr<Plugin>> opened =
        Plugin::open(plugin, config, records, nullptr, kernels);
    if (!opened.ok()) {
      records.add({Stage::kLoad, plugin.path, "refused", opened.status().message(), plugin.path});
    } else if ((*opened)->variants().table != nullptr) {
      plugins_.push_back(std::move(*opened));
    }
  }
}

std::vector<PlannedVariant> VariantPlugins::plan(const std::vector<std::string>& architectures,
                                                 std::vector<std::string>& faults) const {
  std::vector<PlannedVariant> planned;
  for (const std::unique_ptr<Plugin>& plugin : plugins_) {
    for (const std::string& architecture : architectures.empty()
                                               ? architectures_here(*plugin, probed_here_, faults)
                                               : architectures) {
      Result<std::vector<DeclaredVariant>> variants = plugin->variants().list(architecture);
      if (!variants.ok()) {
        faults.push_back(fmt::format("{} does not list its variants for {}: {}", plugin->id(),
                                     architecture, variants.status().message()));
        continue;
      }
      for (DeclaredVariant& variant : *variants)
        planned.push_back({plugin.get(), std::move(variant)});
    }
  }
  return planned;
}

std::vector<BuildOutcome> build_variants(const ImageStore& store,
                                         const std::vector<PlannedVariant>& variants, unsigned jobs,
                                         int stop_fd,
                                         const std::function<void(const BuildOutcome&)>& done) {
  std::vector<std::string> names;
  for (const PlannedVariant& planned : variants) names.push_back(planned.variant.name());
  const auto build = [&](size_t i) {
    return build_variant(store, variants[i].plugin->variants(), variants[i].variant);
  };
  return run_builds(names, jobs, stop_fd, build, done);
}

}  // namespace muster
