#include "core/discover/probe_report.hpp"

#include <array>
#include <nlohmann/json.hpp>

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
  const nlohmann::json json = {{"verdict", probe_verdict_name(report.verdict)},
                               {"reason", report.reason},
                               {"loading", report.loading},
                               {"facts", report.facts}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<ProbeReport> read_report(std::string_view line) {
  try {
    const nlohmann::json json = nlohmann::json::parse(line);
    const auto verdict = probe_verdict_from_name(json.at("verdict").get<std::string>());
    if (!verdict) return std::nullopt;
    return ProbeReport{*verdict, json.at("reason").get<std::string>(),
                       json.at("loading").get<bool>(),
                       json.at("facts").get<std::map<std::string, std::string>>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace muster
