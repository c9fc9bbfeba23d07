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
  Offer offer;
  std::string wrong;  // what is wrong with a rule
};

const char* find_text(const std::map<std::string, std::string>& map, const char* key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second.c_str();
}

// "" when the rule is well formed.
std::string rule_defect(const muster_rule& rule) {
  const uint64_t graph = MUSTER_BIT(MUSTER_GRAPH_WARMUP) | MUSTER_BIT(MUSTER_GRAPH_CAPTURE);
  if (rule.struct_size < MUSTER_RULE_SIZE) return "struct_size is too small";
  if (std::memchr(rule.name, 0, sizeof(rule.name)) == nullptr) return "its name has no end";
  if (rule.ops == 0) return "it names no operation";
  if (rule.score < -100 || rule.score > 100) return "its score is outside -100..100";
  if (rule.bytes_to != 0 && rule.bytes_from > rule.bytes_to) return "bytes_from is above bytes_to";
  if (rule.bytes_from != 0 && rule.bytes_to == 0) return "bytes_to is 0 and bytes_from is not";
  if (rule.ranks_to != 0 && rule.ranks_from > rule.ranks_to) return "ranks_from is above ranks_to";
  if ((rule.phases & graph) != 0 && (rule.phases & graph) != graph)
    return "it takes only one of warm-up and capture";
  if (rule.place > MUSTER_PLACE_OUT) return "its place is unknown";
  if (rule.determinism >= MUSTER_DETERMINISM_END) return "its determinism class is unknown";
  return {};
}

}  // namespace

Result<Offer> ask_offer(const Plugin& plugin, const GroupDescription& group,
                        std::span<const FactMap* const> facts,
                        const std::map<std::string, std::string>& options) {
  Context context{facts, &options, {}, {}};
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
    Context& self = *static_cast<Context*>(pointer);
    if (self.offer.rules.size() == kMostRules) {
      self.wrong = fmt::format("it has more than {} rules", kMostRules);
    } else if (std::string defect = rule_defect(*rule); !defect.empty()) {
      self.wrong = fmt::format(
          "rule {} ('{}'): {}", self.offer.rules.size(),
          std::string_view(rule->name, strnlen(rule->name, sizeof(rule->name))), defect);
    } else {
      self.offer.rules.push_back(*rule);
    }
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
