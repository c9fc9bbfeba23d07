// offers: pure, well made, the same on all ranks, and true up to their limits.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"
#include "tests/ranks/selection.hpp"
#include "tests/ranks/values.hpp"

namespace muster::check {
namespace {

constexpr uint64_t kMostBytes = 4 << 20;  // of a call that is made at a rule's limit

bool alike(const std::vector<muster_rule>& a, const std::vector<muster_rule>& b) {
  const auto same = [](const muster_rule& one, const muster_rule& other) {
    return std::memcmp(&one, &other, MUSTER_RULE_SIZE) == 0;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

bool within(uint64_t mask, uint32_t end) { return (mask & ~(MUSTER_BIT(end) - 1)) == 0; }

// What is wrong with a rule; "" for nothing.
std::string fault_of(const muster_rule& rule) {
  if (!MUSTER_HAS_FIELD(&rule, muster_rule, name)) return "its struct_size is too small";
  if (std::memchr(rule.name, 0, sizeof(rule.name)) == nullptr) return "its name has no end";
  if (rule.ops == 0) return "it is for no operation";
  if (!within(rule.ops, MUSTER_OP_END) || (rule.ops & 1) != 0) return "an operation is unknown";
  if (!within(rule.dtypes, MUSTER_DTYPE_END)) return "a dtype is unknown";
  if (!within(rule.redops, MUSTER_REDOP_END)) return "a reduce operation is unknown";
  if (!within(rule.memory, MUSTER_MEMORY_END)) return "a kind of memory is unknown";
  if (!within(rule.phases, MUSTER_PHASE_END)) return "a phase is unknown";
  if (!within(rule.streams, MUSTER_STREAM_KIND_END)) return "a kind of stream is unknown";
  if ((rule.flags & ~uint32_t{MUSTER_RULE_FLAGS}) != 0) return "a flag is unknown";
  if (rule.place > MUSTER_PLACE_OUT) return "its place is unknown";
  if (rule.determinism >= MUSTER_DETERMINISM_END) return "its determinism class is unknown";
  if (rule.score < -100 || rule.score > 100) return "its score is not within -100 to 100";
  if (rule.bytes_from > rule.bytes_to && rule.bytes_to != 0) return "it takes no size";
  if (rule.ranks_from > rule.ranks_to && rule.ranks_to != 0) return "it takes no group size";
  const bool warmup = (rule.phases & MUSTER_BIT(MUSTER_GRAPH_WARMUP)) != 0;
  const bool capture = (rule.phases & MUSTER_BIT(MUSTER_GRAPH_CAPTURE)) != 0;
  if (warmup != capture) return "warm-up and capture are given apart";
  return {};
}

// Counts at which the rule begins and ends, and one beside it on the inner side.
std::vector<uint64_t> counts_of(const muster_rule& rule, muster_op op, muster_dtype dtype) {
  const uint64_t element = ranks::bytes_of(dtype);
  std::vector<uint64_t> counts;
  if (rule.bytes_from != 0) {
    const uint64_t first = (rule.bytes_from + element - 1) / element;
    counts.insert(counts.end(), {first, first + 1});
  }
  if (rule.bytes_to != 0 && rule.bytes_to <= kMostBytes) {
    const uint64_t last = rule.bytes_to / element;
    counts.insert(counts.end(), {last == 0 ? 0 : last - 1, last});
  }
  if (op == MUSTER_FUSED_ALL_REDUCE_RMSNORM) {
    for (uint64_t& count : counts) count /= ranks::kHidden;
  }
  if (counts.empty()) counts = {1, 1000};
  std::erase_if(counts, [&](uint64_t count) { return count * element > kMostBytes; });
  return counts;
}

// One call per combination of a rule, at each of its limits, in both places.
void add_cases(const muster_rule& rule, uint64_t& next, uint32_t size,
               std::vector<ranks::Case>& cases) {
  for (muster_op op = 1; op < MUSTER_OP_END; ++op) {
    if ((rule.ops & MUSTER_BIT(op)) == 0 || op == MUSTER_RECV) continue;
    for (const muster_dtype dtype : ranks::dtypes_of(op)) {
      if (op != MUSTER_BARRIER && (rule.dtypes & MUSTER_BIT(dtype)) == 0) continue;
      for (const muster_redop redop : ranks::redops_of(op, dtype)) {
        if (redop != MUSTER_REDOP_NONE && (rule.redops & MUSTER_BIT(redop)) == 0) continue;
        for (const uint64_t count : counts_of(rule, op, dtype)) {
          next = ranks::mix(next);
          ranks::Case c = ranks::random_case(op, dtype, redop, size, next);
          c.mode = ranks::Mode::kExecute;
          c.count = op == MUSTER_BARRIER ? 0 : count;
          cases.push_back(c);
        }
      }
    }
  }
}

}  // namespace

std::string offers_pure(const Scene& scene) {
  PluginFile one(scene.setup);
  PluginFile other(scene.setup);
  const Facts own = one.probe();
  for (uint32_t size = 1; size <= 8; ++size) {
    const std::vector<Facts> facts(size, own);
    setenv("MUSTER_LOCAL_RANK", "0", 1);
    const auto first = one.offer("local", facts).rules;
    setenv("MUSTER_LOCAL_RANK", "1", 1);
    if (!alike(first, one.offer("local", facts).rules) ||
        !alike(first, other.offer("local", facts).rules)) {
      throw Failed(fmt::format(
          "asked twice about the same group of {} ranks, it offers different rules", size));
    }
  }
  return {};
}

std::string offers_well_formed(const Scene& scene) {
  PluginFile plugin(scene.setup);
  const Facts own = plugin.probe();
  for (uint32_t size = 1; size <= 8; ++size) {
    const std::vector<Facts> facts(size, own);
    for (const char* const bootstrap : {"local", "mpi"}) {
      const auto offer = plugin.offer(bootstrap, facts);
      for (const muster_rule& rule : offer.rules) {
        if (const std::string fault = fault_of(rule); !fault.empty()) {
          throw Failed(fmt::format("rule '{:.32}' of {}: {}", rule.name, scene.setup.id, fault));
        }
      }
    }
  }
  return {};
}

std::string offers_agreed(const Scene& scene) {
  host_offer(scene);
  RankWorld world(scene);
  RankGroup group(world);
  uint64_t served = 0;
  for (const ranks::Case& c : ranks::pairwise_cases(world.size(), scene.setup.seed)) {
    if (group.serves(c)) ++served;
  }
  if (served == 0) {
    char* text = nullptr;
    const muster_call barrier = muster_call_init(MUSTER_BARRIER, MUSTER_DTYPE_NONE);
    const ranks::Said said = muster_group_explain(group.get(), &barrier, 0, &text);
    const std::string why = said.ok() ? text : said.message;
    if (said.ok()) muster_text_release(text);
    throw Failed("it offers calls to this group and serves none of them: " + why);
  }
  group.destroy();
  return fmt::format("{} served", served);
}

std::string offers_limits(const Scene& scene) {
  std::vector<ranks::Case> cases;
  uint64_t next = scene.setup.seed;
  for (const muster_rule& rule : host_offer(scene)) {
    add_cases(rule, next, scene.setup.ranks, cases);
  }
  if (cases.empty()) throw NotOffered("it offers nothing to this group");
  RankWorld world(scene);
  RankGroup group(world);
  run_cases(group, cases);
  group.destroy();
  return {};
}

}  // namespace muster::check
