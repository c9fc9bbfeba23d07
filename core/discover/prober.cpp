#include "core/discover/prober.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "core/discover/own_place.hpp"
#include "core/discover/probe_child.hpp"
#include "core/discover/probe_host.hpp"

namespace muster {
namespace {

void no_progress(ProbeStep) {}

ProbeReport probe_by_program(const std::string& plugin_path, uint64_t budget_ms) {
  std::string searched;
  for (const std::string& place : probe_program_places(own_directory())) {
    if (access(place.c_str(), X_OK) == 0) return probe_in_child(place, plugin_path, budget_ms);
    searched += (searched.empty() ? "" : ", ") + place;
  }
  return {
      ProbeVerdict::kNotProbed,
      fmt::format("muster-probe was not found at {}: install it or set plugins.probe", searched),
      false,
      {},
      {}};
}

}  // namespace

Prober::Prober(const Config& config, bool may_probe)
    : config_(config), may_probe_(may_probe), cache_(config) {}

ProbeReport Prober::probe_file(const Judged& plugin) const {
  return config_.plugins_probe.value == ProbeMode::kInProcess
             ? open_and_probe(plugin.found, no_progress)
             : probe_by_program(plugin.found.path, config_.plugins_probe_timeout_ms.value);
}

void Prober::apply(const ProbeReport& report, Judged& plugin) const {
  FoundPlugin& found = plugin.found;
  found.facts = report.facts;
  found.kernels = report.kernels;
  found.reason = report.reason;
  found.stage = report.loading ? Stage::kLoad : Stage::kProbe;
  switch (report.verdict) {
    case ProbeVerdict::kUsable:
      found.state = PluginState::kUsable;
      if (found.in_process == nullptr) found.identity = cache_.identity_of(plugin);
      return;
    case ProbeVerdict::kUnavailable:
    case ProbeVerdict::kNotProbed:
      found.state = PluginState::kUnavailable;
      return;
    case ProbeVerdict::kLoadFailed:
    case ProbeVerdict::kBroken:
    case ProbeVerdict::kCrashed:
    case ProbeVerdict::kHung:
      break;
  }
  found.state = PluginState::kQuarantined;
  if (const std::string file = cache_.file_of(plugin);
      found.in_process == nullptr && !file.empty()) {
    found.reason += fmt::format(" (until the file changes, or {} is removed)", file);
  }
}

void Prober::decide(Judged& plugin) const {
  FoundPlugin& found = plugin.found;
  found.stage = Stage::kProbe;
  if (config_.plugins_probe.value == ProbeMode::kNever) return;
  if (found.in_process == nullptr) {
    if (const std::optional<ProbeReport> known = cache_.load(plugin)) return apply(*known, plugin);
  }
  if (!may_probe_) {
    found.state = PluginState::kUnprobed;
    found.reason = "never probed on this machine";
    return;
  }
  if (found.in_process != nullptr) return apply(open_and_probe(found, no_progress), plugin);
  // The ranks of a node start together: one probes, the others wait for its verdict.
  const VerdictCache::Lock lock(cache_, plugin);
  if (const std::optional<ProbeReport> known = cache_.load(plugin)) return apply(*known, plugin);
  const ProbeReport report = probe_file(plugin);
  cache_.store(plugin, report);
  apply(report, plugin);
}

}  // namespace muster
