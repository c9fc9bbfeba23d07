#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/explain/describe.hpp"
#include "core/explain/explain.hpp"

namespace muster {

std::string explanation_text(const Explanation& e) {
  std::string text = fmt::format("group     {}  {} rank{}  determinism {}  chain {}\n", e.group,
                                 e.ranks, e.ranks == 1 ? "" : "s", e.determinism, e.digest);
  text += fmt::format("call      {}{}\n", e.call,
                      e.band.empty() ? "" : fmt::format("  (band {})", e.band));
  text += fmt::format("answer    {}\n", e.answer.empty() ? "nobody serves this call" : e.answer);
  size_t width = 8;
  for (const ExplainedCandidate& c : e.chain) width = std::max(width, c.backend.size());
  for (const ExplainedAbsence& a : e.left_out) width = std::max(width, a.backend.size());
  for (size_t i = 0; i < e.chain.size(); ++i) {
    const ExplainedCandidate& c = e.chain[i];
    text += fmt::format("{}{} {:<{}}  {}{}{}{}\n", i == 0 ? "chain     " : "          ", i + 1,
                        c.backend, width, c.position,
                        c.rule.empty() ? "" : fmt::format(", rule {} score {}", c.rule, c.score),
                        c.takes ? "" : "; passes this call on: ", c.refusal);
  }
  for (size_t i = 0; i < e.left_out.size(); ++i) {
    const ExplainedAbsence& a = e.left_out[i];
    text += fmt::format("{}  {:<{}}  {}: {}{}\n", i == 0 ? "left out  " : "          ", a.backend,
                        width, a.stage, a.reason,
                        a.source.empty() ? "" : fmt::format(" (by {})", a.source));
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
  json["left_out"] = nlohmann::ordered_json::array();
  for (const ExplainedAbsence& a : e.left_out) {
    json["left_out"].push_back(
        {{"backend", a.backend}, {"stage", a.stage}, {"reason", a.reason}, {"source", a.source}});
  }
  json["kernels"] = describe_kernels_json(kernels);
  return json.dump(2) + "\n";
}

}  // namespace muster
