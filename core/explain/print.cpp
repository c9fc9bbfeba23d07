#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/json_text.hpp"
#include "core/explain/describe.hpp"
#include "core/explain/explain.hpp"

namespace muster {

std::vector<ExplainedLine> explanation_lines(const Explanation& e) {
  std::vector<ExplainedLine> lines;
  lines.push_back({"group", fmt::format("{}  {} rank{}  determinism {}{}{}", e.group, e.ranks,
                                        e.ranks == 1 ? "" : "s", e.determinism,
                                        e.digest.empty() ? "" : "  chain ", e.digest)});
  lines.push_back({"call", fmt::format("{}{}", e.call,
                                       e.band.empty() ? "" : fmt::format("  (band {})", e.band))});
  lines.push_back({"answer", e.answer.empty() ? "nobody serves this call" : e.answer});
  size_t width = 8;
  for (const ExplainedCandidate& c : e.chain) width = std::max(width, c.backend.size());
  for (const ExplainedAbsence& a : e.left_out) width = std::max(width, a.backend.size());
  for (const ExplainedDecline& d : e.declined) width = std::max(width, d.backend.size());
  for (size_t i = 0; i < e.chain.size(); ++i) {
    const ExplainedCandidate& c = e.chain[i];
    lines.push_back(
        {"chain",
         fmt::format("{} {:<{}}  {}{}{}{}", i + 1, c.backend, width, c.position,
                     c.rule.empty() ? "" : fmt::format(", rule {} score {}", c.rule, c.score),
                     c.takes ? "" : "; passes this call on: ", c.refusal)});
  }
  for (const ExplainedBand& band : e.bands) {
    if (e.bands.size() == 1) break;  // as the chain
    lines.push_back({"sizes", fmt::format("{}: {}", band.bytes,
                                          band.candidates.empty() ? "nobody" : band.candidates)});
  }
  for (const ExplainedDecline& d : e.declined)
    lines.push_back({"declines", fmt::format("  {:<{}}  {}", d.backend, width, d.reason)});
  for (const ExplainedAbsence& a : e.left_out) {
    lines.push_back(
        {"left out", fmt::format("  {:<{}}  {}: {}{}", a.backend, width, a.stage, a.reason,
                                 a.source.empty() ? "" : fmt::format(" (by {})", a.source))});
  }
  return lines;
}

std::string explanation_text(const Explanation& e) {
  std::string text;
  std::string label;
  for (const ExplainedLine& line : explanation_lines(e)) {
    text += fmt::format("{:<10}{}\n", line.label == label ? "" : line.label, line.text);
    label = line.label;
  }
  return text;
}

std::string explanation_json(const Explanation& e, const std::vector<KernelsInUse>& kernels) {
  nlohmann::ordered_json json = {{"schema", "muster.explain/1"},
                                 {"group", e.group},
                                 {"ranks", e.ranks},
                                 {"determinism", e.determinism},
                                 {"chain_digest", e.digest},
                                 {"call", e.call},
                                 {"band", e.band}};
  json["answer"] =
      e.answer.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(e.answer);
  json["chain"] = nlohmann::ordered_json::array();
  for (const ExplainedCandidate& c : e.chain) {
    json["chain"].push_back({{"backend", c.backend},
                             {"rule", c.rule},
                             {"priority", c.priority},
                             {"priority_source", c.priority_source},
                             {"score", c.score},
                             {"position", c.position},
                             {"takes", c.takes},
                             {"refusal", c.refusal}});
  }
  json["sizes"] = nlohmann::ordered_json::array();
  for (const ExplainedBand& band : e.bands)
    json["sizes"].push_back({{"bytes", band.bytes}, {"candidates", band.candidates}});
  json["declines"] = nlohmann::ordered_json::array();
  for (const ExplainedDecline& d : e.declined)
    json["declines"].push_back({{"backend", d.backend}, {"reason", d.reason}});
  json["left_out"] = nlohmann::ordered_json::array();
  for (const ExplainedAbsence& a : e.left_out) {
    json["left_out"].push_back(
        {{"backend", a.backend}, {"stage", a.stage}, {"reason", a.reason}, {"source", a.source}});
  }
  json["kernels"] = describe_kernels_json(kernels);
  return json_text(json, 2) + "\n";
}

}  // namespace muster
