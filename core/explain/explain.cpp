#include "core/explain/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/digest.hpp"
#include "core/base/units.hpp"
#include "core/chain/match.hpp"
#include "core/compose/recipes.hpp"
#include "core/compose/staged.hpp"

namespace muster {
namespace {

std::string size_text(uint64_t bytes) {
  if (bytes == kUnsized) return "unsized";
  return bytes >= kUnsized - 1 ? std::string("any") : format_bytes(bytes);
}

std::string band_text(uint64_t from, uint64_t to) {
  return to == kUnsized ? "unsized" : fmt::format("{}..{}", size_text(from), size_text(to));
}

std::string call_text(const Question& question) {
  std::string text = op_name(question.op);
  if (question.op != MUSTER_BARRIER) text += fmt::format(" {}", dtype_name(question.key.dtype));
  if (op_reduces(question.op)) text += fmt::format(" {}", redop_name(question.key.redop));
  if (question.op != MUSTER_BARRIER) text += " " + size_text(question.bytes);
  const bool waits = question.key.memory != MUSTER_HOST &&
                     (question.traits & (kTraitStream << MUSTER_STREAM_NONE)) != 0;
  return text + fmt::format(" {} {}{}{}{}", memory_name(question.key.memory),
                            phase_class_name(question.key.phase), waits ? " without a stream" : "",
                            (question.traits & kTraitInPlace) != 0 ? " in place" : "",
                            (question.traits & kTraitQuantised) != 0 ? " quantised" : "");
}

uint32_t row_of(const Chain& chain, const CellKey& key) {
  return cell_index(chain.table.memory_slot[key.memory], key.phase, key.op, key.dtype, key.redop);
}

bool preferred(const PolicyRule* rule, const std::string& id) {
  return rule != nullptr &&
         std::find(rule->prefer->begin(), rule->prefer->end(), id) != rule->prefer->end();
}

std::string refusal_of(const Candidate& candidate, const Question& question) {
  const uint32_t refused = candidate.refuses & question.traits & ~uint32_t{kTraitAny};
  if ((refused & kTraitInPlace) != 0) return "takes only calls out of place";
  if ((refused & kTraitOutOfPlace) != 0) return "takes only calls in place";
  if ((refused & kTraitNotSymmetric) != 0)
    return "takes only memory that was registered collectively";
  if ((refused & kTraitQuantised) != 0) return "does not quantise its output";
  if (refused != 0) return "does not take this kind of stream";
  if (candidate.multiple > 1 && question.bytes % candidate.multiple != 0) {
    return fmt::format("takes only multiples of {} bytes", candidate.multiple);
  }
  return {};
}

std::string composed_name(const Chain& chain, Recipe recipe, const CellKey& key);

// Who serves a part: parts are plain calls. NULL when nobody does.
const Candidate* server_of_part(const Chain& chain, const CellKey& key) {
  return chain.table.find(row_of(chain, key), 0,
                          kTraitOutOfPlace | kTraitNotSymmetric | kTraitStream);
}

// A backend, or what is composed in turn; "" when nobody serves it.
std::string part_name(const Chain& chain, const CellKey& key) {
  const Candidate* const base = server_of_part(chain, key);
  if (base == nullptr) return {};
  if (base->backend != kComposed) return chain.backends[base->backend].id;
  return composed_name(chain, static_cast<Recipe>(base->rule), key);
}

// "composed(shm)": by who serves the first part; of a part that is composed itself, by the part's
// name.
std::string composed_name(const Chain& chain, Recipe recipe, const CellKey& key) {
  const std::vector<CellKey> bases = recipe_bases(recipe, key);
  if (!bases.empty()) {
    const Candidate* const base = server_of_part(chain, bases.front());
    if (base != nullptr && base->backend != kComposed) {
      return fmt::format("composed({})", chain.backends[base->backend].id);
    }
  }
  return fmt::format("composed({})", recipe_name(recipe));
}

ExplainedCandidate explain_candidate(const Chain& chain, const Candidate& candidate,
                                     const Question& question, const PolicyRule* prefer) {
  ExplainedCandidate out;
  out.refusal = refusal_of(candidate, question);
  out.takes = out.refusal.empty();
  if (candidate.backend == kComposed) {
    const Recipe recipe = static_cast<Recipe>(candidate.rule);
    out.backend = composed_name(chain, recipe, question.key);
    const std::string how =
        recipe == Recipe::kStagedThroughHost
            ? fmt::format("staged through the host by {}",
                          part_name(chain, recipe_bases(recipe, question.key).front()))
            : fmt::format("made of {}", recipe_name(recipe));
    out.position = how + ", after all that offer it themselves";
    return out;
  }
  const ChainBackend& backend = chain.backends[candidate.backend];
  const muster_rule& rule = backend.rules[candidate.rule];
  out.backend = backend.id;
  out.rule = rule.name;
  out.priority = backend.priority;
  out.priority_source = backend.priority_source;
  out.score = rule.score;
  out.position = preferred(prefer, backend.id)
                     ? fmt::format("preferred by {}", prefer->source.text())
                     : fmt::format("priority {} by {}", backend.priority, backend.priority_source);
  return out;
}

// The bands of the row, with those that take the call; sizes that are served alike as one.
std::vector<ExplainedBand> explain_bands(const Chain& chain, const Question& question,
                                         const Band* band) {
  std::vector<ExplainedBand> out;
  uint64_t from = 0;
  for (uint64_t next = 0;; next = band->bytes_to + 1, ++band) {
    const bool unsized = band->bytes_to == kUnsized;
    if (unsized && !op_can_be_unsized(question.op)) return out;
    std::string candidates;
    for (uint32_t i = 0; i < band->count; ++i) {
      const Candidate& candidate = chain.table.candidates[band->first + i];
      if ((candidate.refuses & question.traits & ~uint32_t{kTraitAny}) != 0) continue;
      const ChainBackend* const backend =
          candidate.backend == kComposed ? nullptr : &chain.backends[candidate.backend];
      candidates +=
          fmt::format("{}{}", candidates.empty() ? "" : " > ",
                      backend == nullptr
                          ? composed_name(chain, static_cast<Recipe>(candidate.rule), question.key)
                          : fmt::format("{} {}", backend->id, backend->rules[candidate.rule].name));
    }
    if (!unsized && !out.empty() && out.back().candidates == candidates) {
      out.back().bytes = band_text(from, band->bytes_to);
    } else {
      from = next;
      out.push_back({band_text(from, band->bytes_to), std::move(candidates)});
    }
    if (unsized) return out;
  }
}

// Why a backend of the chain is not among the candidates of a band.
ExplainedAbsence explain_absence(const Chain& chain, const ChainBackend& backend,
                                 const Question& question) {
  ExplainedAbsence out{backend.id, stage_name(Stage::kChain), "", "plugin"};
  if (const PolicyRule* forbid = forbidding_rule(chain, question.key, question.bytes);
      forbid != nullptr && std::find(forbid->forbid->begin(), forbid->forbid->end(), backend.id) !=
                               forbid->forbid->end()) {
    out.reason = "forbidden";
    out.source = forbid->source.text();
    return out;
  }
  // The rules that came nearest tell most; together, where each offers some dtypes of an operation.
  Mismatch nearest = Mismatch::kOperation;
  muster_rule offered = backend.rules.front();
  for (const muster_rule& rule : backend.rules) {
    Mismatch mismatch = match_cell(rule, question.key, chain.ranks, chain.determinism);
    if (mismatch == Mismatch::kNone) mismatch = match_bytes(rule, question.bytes);
    if (mismatch > nearest) {
      nearest = mismatch;
      offered = rule;
    } else if (mismatch == nearest) {
      offered.dtypes |= rule.dtypes;
      offered.redops |= rule.redops;
    }
  }
  CellKey key = question.key;
  key.op = question.op;
  out.reason = explain_mismatch(nearest, offered, key, chain.ranks, chain.determinism);
  return out;
}

}  // namespace

Explanation explain(const Chain& chain, const Question& question) {
  Explanation out;
  out.group = chain.group_name;
  out.ranks = chain.ranks;
  out.determinism = determinism_name(chain.determinism);
  out.digest = digest_of(chain_text(chain)).short_text();
  out.call = call_text(question);
  std::vector<bool> present(chain.backends.size());
  if (chain.table.memory_slot[question.key.memory] != Table::kNoSlot) {
    const PolicyRule* const prefer = preferring_rule(chain, question.key, question.bytes);
    const uint32_t row = row_of(chain, question.key);
    const Band* const first = chain.table.bands.data() + chain.table.rows[row];
    const Band* const band = chain.table.band(row, question.bytes);
    const uint64_t from = band == first ? 0 : (band - 1)->bytes_to + 1;
    // A row that nobody serves has no sizes to tell apart.
    if (chain.table.rows[row] != 0 || question.bytes == kUnsized)
      out.band = band_text(from, band->bytes_to);
    out.bands = explain_bands(chain, question, first);
    for (uint32_t i = 0; i < band->count; ++i) {
      const Candidate& candidate = chain.table.candidates[band->first + i];
      out.chain.push_back(explain_candidate(chain, candidate, question, prefer));
      if (candidate.backend != kComposed) present[candidate.backend] = true;
      if (out.answer.empty() && out.chain.back().takes) out.answer = out.chain.back().backend;
    }
  }
  for (const ChainBackend& backend : chain.backends) {
    for (const std::string& reason : backend.declined) out.declined.push_back({backend.id, reason});
  }
  for (size_t b = 0; b < chain.backends.size(); ++b) {
    if (!present[b]) out.left_out.push_back(explain_absence(chain, chain.backends[b], question));
  }
  if (const Candidate* const staged =
          staged_when_eager(chain, question.key, question.bytes, question.traits);
      staged != nullptr) {
    CellKey eager = question.key;
    eager.phase = kPhaseEager;
    out.left_out.push_back(
        {composed_name(chain, Recipe::kStagedThroughHost, eager), stage_name(Stage::kChain),
         "serves eager calls, staged through the host, which a graph cannot hold", ""});
  }
  for (const LeftOut& left : chain.left_out) {
    out.left_out.push_back({left.id, stage_name(left.stage), left.reason, left.source});
  }
  return out;
}

const char* shown_name(muster_group& group, const Candidate& candidate, const muster_call& call) {
  if (candidate.backend != kComposed) return group.shown_names[candidate.backend].c_str();
  const CellKey key{call.send_memory, group.phase_class, selection_op(call.op), call.dtype,
                    call.redop};
  std::string name = composed_name(group.chain, static_cast<Recipe>(candidate.rule), key);
  const auto known = std::find(group.composed_names.begin(), group.composed_names.end(), name);
  return (known != group.composed_names.end() ? *known
                                              : group.composed_names.emplace_back(std::move(name)))
      .c_str();
}

}  // namespace muster
