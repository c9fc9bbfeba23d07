#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>

#include "core/chain/chain.hpp"
#include "core/chain/match.hpp"
#include "core/compose/recipes.hpp"

namespace muster {
namespace {

struct RuleReference {
  uint16_t backend;
  uint16_t rule;
};

bool policy_matches_cell(const PolicyRule& policy, const CellKey& key) {
  const auto in = [](uint64_t bits, uint32_t value) {
    return bits == 0 || (bits & MUSTER_BIT(value)) != 0;
  };
  constexpr uint64_t kMessages =
      MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV);
  const uint64_t ops = (policy.ops & kMessages) != 0 ? policy.ops | kMessages : policy.ops;
  return in(ops, key.op) && in(policy.dtypes, key.dtype) && in(policy.memory, key.memory) &&
         (!op_reduces(key.op) || in(policy.redops, key.redop));
}

// A call of unknown size is only covered by a rule for all sizes.
bool policy_matches_bytes(const PolicyRule& policy, uint64_t bytes) {
  if (bytes == kUnsized) return policy.bytes_from == 0 && policy.bytes_to == UINT64_MAX;
  return bytes >= policy.bytes_from && bytes <= policy.bytes_to;
}

bool holds(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

uint32_t refused_traits(const muster_rule& rule) {
  uint32_t refuses = 0;
  if (rule.place == MUSTER_PLACE_IN) refuses |= kTraitOutOfPlace;
  if (rule.place == MUSTER_PLACE_OUT) refuses |= kTraitInPlace;
  if ((rule.flags & MUSTER_RULE_SYMMETRIC) != 0) refuses |= kTraitNotSymmetric;
  // Other operations have no such calls.
  if ((rule.flags & MUSTER_RULE_QUANTISED) == 0) refuses |= kTraitQuantised;
  if (rule.bytes_multiple > 1) refuses |= kTraitAny;
  const uint64_t streams = rule.streams == 0 ? MUSTER_BIT(MUSTER_STREAM_NONE) : rule.streams;
  for (uint32_t kind = 0; kind < MUSTER_STREAM_KIND_END; ++kind) {
    if ((streams & MUSTER_BIT(kind)) == 0) refuses |= kTraitStream << kind;
  }
  return refuses;
}

// Compiles the rows of one chain; see chain.hpp for the order of preference.
class Compiler {
 public:
  explicit Compiler(Chain& chain) : chain_(chain), table_(chain.table) {}

  void run() {
    assign_memory_slots();
    table_.bands.push_back(Band{});  // the shared row of calls that nobody offers
    for_each_row([this](const CellKey& key, uint32_t row) { compile_row(key, row); });
    // Compositions may rest on compositions of the passes before: gather of f8 on all_gather of f8
    // on all_gather of bytes. Every pass serves rows that were not served, so there is a last one.
    std::vector<std::tuple<CellKey, uint32_t, Recipe>> found;
    do {
      found.clear();
      for_each_row([&](const CellKey& key, uint32_t row) {
        const bool sized = covers_all_sizes(row, key.op);
        if (sized && (!op_can_be_unsized(key.op) || covers_unsized(row, key.op))) return;
        if (const Recipe recipe = usable_recipe(key); recipe != Recipe::kEnd)
          found.emplace_back(key, row, recipe);
      });
      for (const auto& [key, row, recipe] : found) append_recipe(row, key, recipe);
    } while (!found.empty());
    stage_rows();
  }

 private:
  template <typename Body>
  void for_each_row(Body body) {
    for (muster_memory memory = 0; memory < MUSTER_MEMORY_END; ++memory) {
      const uint32_t slot = table_.memory_slot[memory];
      if (slot == Table::kNoSlot) continue;
      for (uint32_t phase = 0; phase < kPhaseClassEnd; ++phase) {
        for (muster_op op = MUSTER_ALL_REDUCE; op < MUSTER_OP_END; ++op) {
          if (op == MUSTER_RECV || op == MUSTER_SEND_RECV) continue;  // rows of send
          const muster_dtype last_dtype =
              op == MUSTER_BARRIER ? muster_dtype{1} : muster_dtype{MUSTER_DTYPE_END};
          for (muster_dtype dtype = op == MUSTER_BARRIER ? 0 : 1; dtype < last_dtype; ++dtype) {
            if (!op_reduces(op)) {
              const CellKey key{memory, static_cast<PhaseClass>(phase), op, dtype,
                                MUSTER_REDOP_NONE};
              body(key, cell_index(slot, key.phase, op, dtype, MUSTER_REDOP_NONE));
              continue;
            }
            for (muster_redop redop = MUSTER_SUM; redop < MUSTER_REDOP_END; ++redop) {
              if (!redop_applies(redop, dtype)) continue;
              const CellKey key{memory, static_cast<PhaseClass>(phase), op, dtype, redop};
              body(key, cell_index(slot, key.phase, op, dtype, redop));
            }
          }
        }
      }
    }
  }

  void assign_memory_slots() {
    uint64_t kinds = MUSTER_BIT(MUSTER_HOST) | chain_.staged_memory;
    for (const ChainBackend& backend : chain_.backends) {
      for (const muster_rule& rule : backend.rules) kinds |= rule.memory;
    }
    uint8_t slots = 0;
    std::fill(std::begin(table_.memory_slot), std::end(table_.memory_slot), Table::kNoSlot);
    for (uint32_t kind = MUSTER_HOST; kind < MUSTER_MEMORY_END; ++kind) {
      if ((kinds & MUSTER_BIT(kind)) != 0) table_.memory_slot[kind] = slots++;
    }
    table_.rows.assign(static_cast<size_t>(slots) * kPhaseClassEnd * cell::kPlane, 0);
  }

  void compile_row(const CellKey& key, uint32_t row) {
    std::vector<RuleReference> matching;
    for (size_t b = 0; b < chain_.backends.size(); ++b) {
      const auto& rules = chain_.backends[b].rules;
      for (size_t r = 0; r < rules.size(); ++r) {
        if (match_cell(rules[r], key, chain_.ranks, chain_.determinism) == Mismatch::kNone) {
          matching.push_back({static_cast<uint16_t>(b), static_cast<uint16_t>(r)});
        }
      }
    }
    if (matching.empty()) return;
    std::vector<uint16_t> policy;
    for (size_t p = 0; p < chain_.policy.size(); ++p) {
      if (policy_matches_cell(chain_.policy[p], key)) policy.push_back(static_cast<uint16_t>(p));
    }
    // Rows with the same rules and size of element share their bands.
    std::string signature(reinterpret_cast<const char*>(matching.data()),
                          matching.size() * sizeof(matching[0]));
    signature.append(1, static_cast<char>(dtype_size(key.dtype)))
        .append(reinterpret_cast<const char*>(policy.data()), policy.size() * sizeof(policy[0]));
    const auto [known, is_new] =
        shared_.try_emplace(signature, static_cast<uint32_t>(table_.bands.size()));
    table_.rows[row] = known->second;
    if (is_new) add_bands(key, matching, policy);
  }

  void add_bands(const CellKey& key, const std::vector<RuleReference>& matching,
                 const std::vector<uint16_t>& policy) {
    std::vector<uint64_t> ends = {kUnsized - 1, kUnsized};
    const auto edge = [&](uint64_t from, uint64_t to) {
      if (from != 0) ends.push_back(from - 1);
      ends.push_back(std::min(to, kUnsized - 1));
    };
    for (const RuleReference& m : matching) edge(rule_bytes_from(rule(m)), rule_bytes_to(rule(m)));
    for (const uint16_t p : policy) edge(chain_.policy[p].bytes_from, chain_.policy[p].bytes_to);
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    for (const uint64_t end : ends) {
      const uint32_t first = static_cast<uint32_t>(table_.candidates.size());
      for (const RuleReference& m : ordered(key, matching, end)) {
        Candidate candidate;
        candidate.multiple = std::max<uint64_t>(rule(m).bytes_multiple, 1);
        candidate.refuses = refused_traits(rule(m));
        candidate.backend = m.backend;
        candidate.rule = m.rule;
        table_.candidates.push_back(candidate);
      }
      table_.bands.push_back({end, dtype_size(key.dtype), first,
                              static_cast<uint32_t>(table_.candidates.size()) - first});
    }
  }

  // The rules that take calls of this size (bands have no edge inside them), best first.
  std::vector<RuleReference> ordered(const CellKey& key, const std::vector<RuleReference>& matching,
                                     uint64_t bytes) {
    const PolicyRule* const forbid = forbidding_rule(chain_, key, bytes);
    const PolicyRule* const prefer = preferring_rule(chain_, key, bytes);
    std::vector<RuleReference> taking;
    for (const RuleReference& m : matching) {
      if (match_bytes(rule(m), bytes) != Mismatch::kNone) continue;
      if (forbid != nullptr && holds(*forbid->forbid, chain_.backends[m.backend].id)) continue;
      taking.push_back(m);
    }
    const auto preference = [&](const RuleReference& m) -> size_t {
      if (prefer == nullptr) return 0;
      const auto& ids = *prefer->prefer;
      return static_cast<size_t>(std::find(ids.begin(), ids.end(), chain_.backends[m.backend].id) -
                                 ids.begin());
    };
    std::stable_sort(taking.begin(), taking.end(),
                     [&](const RuleReference& a, const RuleReference& b) {
                       const size_t preference_a = preference(a);
                       const size_t preference_b = preference(b);
                       if (preference_a != preference_b) return preference_a < preference_b;
                       const ChainBackend& backend_a = chain_.backends[a.backend];
                       const ChainBackend& backend_b = chain_.backends[b.backend];
                       if (backend_a.priority != backend_b.priority)
                         return backend_a.priority > backend_b.priority;
                       if (rule(a).score != rule(b).score) return rule(a).score > rule(b).score;
                       return backend_a.id < backend_b.id;
                     });
    return taking;
  }

  // Last of all, device memory through the host: for every call of a row that somebody refuses.
  void stage_rows() {
    constexpr Recipe kRecipe = Recipe::kStagedThroughHost;
    std::vector<std::pair<CellKey, uint32_t>> found;
    for_each_row([&](const CellKey& key, uint32_t row) {
      if ((chain_.staged_memory & MUSTER_BIT(key.memory)) == 0) return;
      for (const CellKey& base : recipe_bases(kRecipe, key)) {
        const uint32_t host = cell_index(table_.memory_slot[base.memory], base.phase, base.op,
                                         base.dtype, base.redop);
        const bool serves = covers_all_sizes(host, base.op) &&
                            (!op_can_be_unsized(base.op) || covers_unsized(host, base.op));
        if (serves) found.emplace_back(key, row);
      }
    });
    for (const auto& [key, row] : found) append_recipe(row, key, kRecipe);
  }

  // Whether each call on device memory, with a stream or without, has a candidate that takes it.
  bool takes_every_device_call(const Band& band, const CellKey& key) const {
    for (const uint32_t stream :
         {kTraitStream << MUSTER_STREAM_NONE, kTraitStream << stream_kind_of(key.memory)}) {
      for (const uint32_t place : {kTraitInPlace, kTraitOutOfPlace}) {
        uint32_t call = stream | place | kTraitNotSymmetric;
        if (key.op == MUSTER_FUSED_ALL_REDUCE_RMSNORM && place == kTraitOutOfPlace)
          call |= kTraitQuantised;
        const Candidate* const first = table_.candidates.data() + band.first;
        const bool taken = std::any_of(first, first + band.count, [&](const Candidate& candidate) {
          return candidate.multiple <= 1 && (candidate.refuses & call) == 0;
        });
        if (!taken) return false;
      }
    }
    return true;
  }

  // Whether some candidate takes every host call of the band, as the parts of compositions are.
  bool has_unconditional(const Band& band, muster_op op) const {
    uint32_t calls = kTraitInPlace | kTraitOutOfPlace | kTraitNotSymmetric |
                     (kTraitStream << MUSTER_STREAM_NONE);
    if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) calls |= kTraitQuantised;
    for (uint32_t i = 0; i < band.count; ++i) {
      const Candidate& candidate = table_.candidates[band.first + i];
      if (candidate.multiple <= 1 && (candidate.refuses & calls) == 0) return true;
    }
    return false;
  }

  bool covers_all_sizes(uint32_t row, muster_op op) const {
    for (const Band* band = table_.bands.data() + table_.rows[row];; ++band) {
      if (band->bytes_to == kUnsized) return table_.rows[row] != 0;
      if (!has_unconditional(*band, op)) return false;
    }
  }
  bool covers_unsized(uint32_t row, muster_op op) const {
    const Band* band = table_.bands.data() + table_.rows[row];
    while (band->bytes_to != kUnsized) ++band;
    return has_unconditional(*band, op);
  }

  Recipe usable_recipe(const CellKey& key) const {
    const uint32_t slot = table_.memory_slot[key.memory];
    for (uint16_t r = 0; r < static_cast<uint16_t>(Recipe::kStagedThroughHost); ++r) {
      const Recipe recipe = static_cast<Recipe>(r);
      const std::vector<CellKey> bases = recipe_bases(recipe, key);
      if (bases.empty()) continue;
      const bool usable = std::all_of(bases.begin(), bases.end(), [&](const CellKey& base) {
        const uint32_t row = cell_index(slot, base.phase, base.op, base.dtype, base.redop);
        // The bytes of a point-to-point call or of a v-call without a bound stay unsized.
        const bool sized = recipe != Recipe::kAsBytes || !op_can_be_unsized(base.op) ||
                           covers_unsized(row, base.op);
        return covers_all_sizes(row, base.op) && sized;
      });
      if (usable) return recipe;
    }
    return Recipe::kEnd;
  }

  // Gives the row bands of its own, with the recipe last wherever nothing takes every call.
  void append_recipe(uint32_t row, const CellKey& key, Recipe recipe) {
    std::vector<Band> bands;
    for (const Band* band = table_.bands.data() + table_.rows[row];; ++band) {
      bands.push_back(*band);
      if (band->bytes_to == kUnsized) break;
    }
    if (table_.rows[row] == 0) bands.insert(bands.begin(), Band{kUnsized - 1});
    const bool staged = recipe == Recipe::kStagedThroughHost;
    for (Band& band : bands) {
      band.element = dtype_size(key.dtype);
      if (staged ? takes_every_device_call(band, key) : has_unconditional(band, key.op)) continue;
      const uint32_t first = static_cast<uint32_t>(table_.candidates.size());
      for (uint32_t i = 0; i < band.count; ++i) {
        const Candidate kept = table_.candidates[band.first + i];
        table_.candidates.push_back(kept);
      }
      Candidate composed;
      composed.rule = static_cast<uint16_t>(recipe);
      for (uint32_t kind = MUSTER_STREAM_NONE + 1; kind < MUSTER_STREAM_KIND_END; ++kind) {
        if (!staged || kind != stream_kind_of(key.memory)) composed.refuses |= kTraitStream << kind;
      }
      table_.candidates.push_back(composed);
      band.first = first;
      band.count += 1;
    }
    table_.rows[row] = static_cast<uint32_t>(table_.bands.size());
    table_.bands.insert(table_.bands.end(), bands.begin(), bands.end());
  }

  const muster_rule& rule(const RuleReference& reference) const {
    return chain_.backends[reference.backend].rules[reference.rule];
  }

  Chain& chain_;
  Table& table_;
  std::unordered_map<std::string, uint32_t> shared_;
};

template <typename Has>
const PolicyRule* first_rule(const Chain& chain, const CellKey& key, uint64_t bytes, Has has) {
  for (const PolicyRule& policy : chain.policy) {
    if (has(policy) && policy_matches_cell(policy, key) && policy_matches_bytes(policy, bytes))
      return &policy;
  }
  return nullptr;
}

}  // namespace

const PolicyRule* preferring_rule(const Chain& chain, const CellKey& key, uint64_t bytes) {
  return first_rule(chain, key, bytes,
                    [](const PolicyRule& policy) { return policy.prefer.has_value(); });
}

const PolicyRule* forbidding_rule(const Chain& chain, const CellKey& key, uint64_t bytes) {
  return first_rule(chain, key, bytes,
                    [](const PolicyRule& policy) { return policy.forbid.has_value(); });
}

Chain compile_chain(const ChainInputs& inputs) {
  Chain chain;
  chain.group_name = inputs.group_name;
  chain.ranks = inputs.ranks;
  chain.determinism = inputs.determinism;
  chain.backends = inputs.backends;
  chain.staged_memory = inputs.staged_memory;
  std::sort(chain.backends.begin(), chain.backends.end(),
            [](const ChainBackend& a, const ChainBackend& b) {
              return a.priority != b.priority ? a.priority > b.priority : a.id < b.id;
            });
  if (inputs.policy != nullptr) {
    for (const PolicyRule& policy : *inputs.policy) {
      if (inputs.ranks < policy.ranks_from || inputs.ranks > policy.ranks_to) continue;
      if (!policy.group.empty() && !glob_matches(policy.group, inputs.group_name)) continue;
      chain.policy.push_back(policy);
    }
  }
  Compiler(chain).run();
  return chain;
}

std::string rule_text(const muster_rule& r) {
  return fmt::format(
      "{} ops={:x} dtypes={:x} redops={:x} memory={:x} phases={:x} streams={:x} bytes={}..{} x{} "
      "ranks={}..{} "
      "place={} flags={:x} determinism={} score={}",
      r.name, r.ops, r.dtypes, r.redops, r.memory, r.phases, r.streams, r.bytes_from, r.bytes_to,
      r.bytes_multiple, r.ranks_from, r.ranks_to, r.place, r.flags, r.determinism, r.score);
}

std::string chain_text(const Chain& chain) {
  std::string text = fmt::format("group {} ranks {} determinism {}\n", chain.group_name,
                                 chain.ranks, determinism_name(chain.determinism));
  for (const ChainBackend& backend : chain.backends) {
    text += fmt::format("backend {} priority {}\n", backend.id, backend.priority);
    for (const muster_rule& rule : backend.rules) text += "  " + rule_text(rule) + "\n";
  }
  if (chain.staged_memory != 0) text += fmt::format("staged memory {:x}\n", chain.staged_memory);
  for (const PolicyRule& policy : chain.policy) {
    text += fmt::format(
        "policy ops={:x} dtypes={:x} redops={:x} memory={:x} bytes={}..{} prefer={} forbid={}\n",
        policy.ops, policy.dtypes, policy.redops, policy.memory, policy.bytes_from, policy.bytes_to,
        policy.prefer ? fmt::format("{}", fmt::join(*policy.prefer, ",")) : "-",
        policy.forbid ? fmt::format("{}", fmt::join(*policy.forbid, ",")) : "-");
  }
  return text;
}

}  // namespace muster
