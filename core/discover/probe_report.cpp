#include "core/discover/probe_report.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"

namespace muster {
namespace {

constexpr std::array<const char*, 7> kNames = {"usable",  "unavailable", "load_failed", "broken",
                                               "crashed", "hung",        "not_probed"};

}  // namespace

const char* probe_verdict_name(ProbeVerdict verdict) {
  return kNames[static_cast<size_t>(verdict)];
}

std::optional<ProbeVerdict> probe_verdict_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<ProbeVerdict>(i);
  }
  return std::nullopt;
}

std::string write_report(const ProbeReport& report) {
  nlohmann::json json = {{"verdict", probe_verdict_name(report.verdict)},
                         {"reason", report.reason},
                         {"loading", report.loading},
                         {"facts", report.facts}};
  if (report.kernels) {
    nlohmann::json groups = nlohmann::json::array();
    for (const KernelGroup& group : report.kernels->ready) groups.push_back(write_group(group));
    json["kernels"] = {{"ready", std::move(groups)},
                       {"images", report.kernels->images},
                       {"faults", report.kernels->faults},
                       {"note", report.kernels->note}};
  }
  return json_text(json);
}

std::optional<ProbeReport> read_report(std::string_view line) {
  try {
    const nlohmann::json json = parse_json(line);
    const auto verdict = probe_verdict_from_name(json.at("verdict").get<std::string>());
    if (!verdict) return std::nullopt;
    ProbeReport report{*verdict,
                       json.at("reason").get<std::string>(),
                       json.at("loading").get<bool>(),
                       json.at("facts").get<std::map<std::string, std::string>>(),
                       {}};
    if (const auto kernels = json.find("kernels"); kernels != json.end()) {
      PackReport& pack = report.kernels.emplace();
      for (const nlohmann::json& line : kernels->at("ready")) {
        std::optional<KernelGroup> group = read_group(line.get<std::string>());
        if (!group) return std::nullopt;
        pack.ready.push_back(std::move(*group));
      }
      kernels->at("images").get_to(pack.images);
      kernels->at("faults").get_to(pack.faults);
      kernels->at("note").get_to(pack.note);
    }
    return report;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace muster
