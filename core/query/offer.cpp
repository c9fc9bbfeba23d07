#include "core/query/offer.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/names.hpp"

namespace muster {
namespace {

// As many as the table of a group can number, with room.
constexpr size_t kMostRules = 4096;

struct Context {
  std::span<const FactMap* const> facts;
  const std::map<std::string, std::string>* options;
  bool newer;  // the plugin was built with a later minor
  Offer offer;
  std::string wrong;  // what is wrong with a rule
};

const char* find_text(const std::map<std::string, std::string>& map, const char* key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second.c_str();
}

// "" when this minor knows everything that narrows the rule down. Unknown bits of a mask only add
// calls that nobody here makes.
std::string rule_unknown(const muster_rule& rule) {
  if ((rule.flags & ~uint32_t{MUSTER_RULE_FLAGS}) != 0)
    return fmt::format("its flags {:#x} are unknown", rule.flags & ~uint32_t{MUSTER_RULE_FLAGS});
  if (rule.place > MUSTER_PLACE_OUT) return "its place is unknown";
  if (rule.determinism >= MUSTER_DETERMINISM_END) return "its determinism class is unknown";
  return {};
}

// "" when the rule is well formed.
std::string rule_defect(const muster_rule& rule) {
  const uint64_t graph = MUSTER_BIT(MUSTER_GRAPH_WARMUP) | MUSTER_BIT(MUSTER_GRAPH_CAPTURE);
  if (!MUSTER_HAS_FIELD(&rule, muster_rule, name)) return "struct_size is too small";
  if (std::memchr(rule.name, 0, sizeof(rule.name)) == nullptr) return "its name has no end";
  if (rule.ops == 0) return "it names no operation";
  if (rule.score < -100 || rule.score > 100) return "its score is outside -100..100";
  if (rule.bytes_to != 0 && rule.bytes_from > rule.bytes_to) return "bytes_from is above bytes_to";
  if (rule.bytes_from != 0 && rule.bytes_to == 0) return "bytes_to is 0 and bytes_from is not";
  if (rule.ranks_to != 0 && rule.ranks_from > rule.ranks_to) return "ranks_from is above ranks_to";
  if ((rule.phases & graph) != 0 && (rule.phases & graph) != graph)
    return "it takes only one of warm-up and capture";
  return rule_unknown(rule);
}

void take_rule(Context& context, const muster_rule& rule) {
  if (context.offer.rules.size() == kMostRules) {
    context.wrong = fmt::format("it has more than {} rules", kMostRules);
    return;
  }
  const std::string_view name(rule.name, strnlen(rule.name, sizeof(rule.name)));
  const std::string unknown = context.newer ? rule_unknown(rule) : std::string();
  if (!unknown.empty()) {
    context.offer.declined.push_back(
        fmt::format("rule '{}' is left out by a runtime of ABI {}.{}: {}", name, MUSTER_ABI_MAJOR,
                    MUSTER_ABI_MINOR, unknown));
  } else if (std::string defect = rule_defect(rule); !defect.empty()) {
    context.wrong = fmt::format("rule {} ('{}'): {}", context.offer.rules.size(), name, defect);
  } else {
    context.offer.rules.push_back(rule);
  }
}

}  // namespace

Result<Offer> ask_offer(const Plugin& plugin, const GroupDescription& group,
                        std::span<const FactMap* const> facts,
                        const std::map<std::string, std::string>& options) {
  Context context{facts, &options, plugin.found().entry.abi_minor > MUSTER_ABI_MINOR, {}, {}};
  muster_offer_query query{};
  query.struct_size = MUSTER_OFFER_QUERY_SIZE;
  query.size = static_cast<uint32_t>(group.places.size());
  query.determinism = group.determinism;
  query.group_name = group.name.c_str();
  query.bootstrap = group.bootstrap.c_str();
  query.places = group.places.data();
  query.context = &context;
  query.fact = [](void* pointer, uint32_t rank, const char* key) -> const char* {
    const Context& self = *static_cast<Context*>(pointer);
    return rank < self.facts.size() ? find_text(*self.facts[rank], key) : nullptr;
  };
  query.option = [](void* pointer, const char* key) {
    return find_text(*static_cast<Context*>(pointer)->options, key);
  };
  query.add_rule = [](void* pointer, const muster_rule* rule) {
    take_rule(*static_cast<Context*>(pointer), *rule);
  };
  query.decline = [](void* pointer, const char* reason) {
    static_cast<Context*>(pointer)->offer.declined.emplace_back(reason);
  };
  if (Status status(plugin.backend()->offer(plugin.instance(), &query)); !status.ok())
    return status;
  if (!context.wrong.empty()) {
    return Status(MUSTER_INTERNAL,
                  fmt::format("the offer of {} is not well formed: {}", plugin.id(), context.wrong),
                  "report this to the plugin's vendor");
  }
  return std::move(context.offer);
}

}  // namespace muster
