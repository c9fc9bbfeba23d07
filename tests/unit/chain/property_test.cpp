// The compiled table against a naive evaluation of the same rules and policies, for random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/chain/rules.hpp"

namespace muster::testing {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  uint64_t below(uint64_t end) { return random_() % end; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  // Sizes that rules and policies share, so that their edges meet.
  uint64_t size() {
    static constexpr uint64_t kSizes[] = {0, 1, 8, 63, 64, 65, 4096, 65536, 1u << 20, kUnsized - 1};
    return kSizes[below(std::size(kSizes))];
  }
  uint64_t mask(uint32_t end) { return one_in(3) ? all_below(end) : random_() & all_below(end); }

  muster_rule rule() {
    muster_rule rule = rule_for_all(mask(MUSTER_OP_END) | MUSTER_BIT(1 + below(MUSTER_OP_END - 1)));
    if (one_in(2)) rule.ops |= kMessages;
    rule.dtypes = mask(MUSTER_DTYPE_END);
    rule.redops = mask(MUSTER_REDOP_END);
    rule.memory = one_in(2) ? 0 : bits({MUSTER_HOST, MUSTER_CUDA});
    if (one_in(3)) rule.phases = MUSTER_BIT(MUSTER_EAGER) | (random_() & 0xE);
    if (one_in(4)) rule.streams = bits({MUSTER_STREAM_NONE, MUSTER_STREAM_CUDA});
    if (one_in(2)) {
      rule.bytes_from = size();
      rule.bytes_to = std::max(rule.bytes_from, size());
    }
    if (one_in(3)) rule.bytes_multiple = 1 + below(16);
    rule.ranks_from = static_cast<uint32_t>(below(4));
    if (one_in(3)) rule.ranks_to = rule.ranks_from + static_cast<uint32_t>(below(4));
    rule.place = one_in(4) ? static_cast<uint32_t>(1 + below(2)) : uint32_t{MUSTER_PLACE_ANY};
    rule.flags = static_cast<uint32_t>((one_in(5) ? MUSTER_RULE_SYMMETRIC : 0) |
                                       (one_in(2) ? MUSTER_RULE_UNSIZED : 0));
    rule.determinism = static_cast<muster_determinism>(below(MUSTER_DETERMINISM_END));
    rule.score = static_cast<int32_t>(below(5)) - 2;
    return rule;
  }

  PolicyRule policy(const std::vector<ChainBackend>& backends) {
    PolicyRule policy;
    if (one_in(2)) policy.ops = mask(MUSTER_OP_END);
    if (one_in(3)) policy.dtypes = mask(MUSTER_DTYPE_END);
    if (one_in(3)) policy.redops = mask(MUSTER_REDOP_END);
    if (one_in(4)) policy.memory = bits({MUSTER_CUDA});
    if (one_in(2)) {
      policy.bytes_from = size();
      policy.bytes_to = std::max(policy.bytes_from, size());
    }
    if (one_in(3)) policy.ranks_from = static_cast<uint32_t>(below(6));
    if (one_in(4)) policy.group = one_in(2) ? "t*" : "other";
    const auto some = [&] {
      std::vector<std::string> ids;
      for (const ChainBackend& backend : backends) {
        if (one_in(2)) ids.push_back(backend.id);
      }
      std::shuffle(ids.begin(), ids.end(), random_);
      return ids;
    };
    if (one_in(2)) policy.prefer = some();
    if (!policy.prefer || one_in(2)) policy.forbid = some();
    return policy;
  }

  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_;
};

struct Asked {
  CellKey key;
  uint64_t bytes;
  bool in_place;
  bool symmetric;
  muster_stream_kind stream;
  uint32_t traits() const {
    return (in_place ? kTraitInPlace : kTraitOutOfPlace) | (symmetric ? 0u : kTraitNotSymmetric) |
           (uint32_t{kTraitStream} << stream);
  }
};

bool has(uint64_t mask, uint32_t value) { return ((mask >> value) & 1) != 0; }

// The text of the contract (backend.h, chain.hpp), once more and as slow as it likes.
bool takes(const muster_rule& rule, const Asked& call, uint32_t ranks, muster_determinism group) {
  const CellKey& key = call.key;
  const bool message = key.op == MUSTER_SEND;
  const bool rooted = key.op == MUSTER_REDUCE || key.op == MUSTER_BROADCAST ||
                      key.op == MUSTER_GATHER || key.op == MUSTER_GATHERV ||
                      key.op == MUSTER_SCATTER || key.op == MUSTER_SCATTERV;
  const bool reduces = key.op <= MUSTER_FUSED_ALL_REDUCE_RMSNORM;
  if (message && ((rule.ops & kMessages) != kMessages || (rule.flags & MUSTER_RULE_UNSIZED) == 0))
    return false;
  if (!has(rule.ops, key.op)) return false;
  if (key.op != MUSTER_BARRIER && !has(rule.dtypes, key.dtype)) return false;
  if (reduces && !has(rule.redops, key.redop)) return false;
  if (!has(rule.memory == 0 ? uint64_t{MUSTER_BIT(MUSTER_HOST)} : rule.memory, key.memory))
    return false;
  const uint64_t phases = rule.phases == 0 ? uint64_t{MUSTER_BIT(MUSTER_EAGER)} : rule.phases;
  if (key.phase == kPhaseEager && !has(phases, MUSTER_EAGER)) return false;
  if (key.phase == kPhasePiecewise && !has(phases, MUSTER_GRAPH_PIECEWISE)) return false;
  if (key.phase == kPhaseGraph &&
      (!has(phases, MUSTER_GRAPH_WARMUP) || !has(phases, MUSTER_GRAPH_CAPTURE)))
    return false;
  if (ranks < rule.ranks_from || (rule.ranks_to != 0 && ranks > rule.ranks_to)) return false;
  if (rule.determinism < group) return false;
  if (rule.place != MUSTER_PLACE_ANY && (message || rooted)) return false;
  if (rule.place == MUSTER_PLACE_IN && !call.in_place) return false;
  if (rule.place == MUSTER_PLACE_OUT && call.in_place) return false;
  if ((rule.flags & MUSTER_RULE_SYMMETRIC) != 0 && !call.symmetric) return false;
  if (!has(rule.streams == 0 ? uint64_t{MUSTER_BIT(MUSTER_STREAM_NONE)} : rule.streams,
           call.stream))
    return false;
  if (call.bytes == kUnsized)
    return (rule.flags & MUSTER_RULE_UNSIZED) != 0 && rule.bytes_multiple <= 1;
  if (rule.bytes_multiple > 1 && call.bytes % rule.bytes_multiple != 0) return false;
  const bool any = rule.bytes_from == 0 && rule.bytes_to == 0;
  return any || (rule.bytes_from <= call.bytes && call.bytes <= rule.bytes_to);
}

bool concerns(const PolicyRule& policy, const Asked& call, uint32_t ranks) {
  const CellKey& key = call.key;
  const bool reduces = key.op <= MUSTER_FUSED_ALL_REDUCE_RMSNORM;
  uint64_t ops = policy.ops;
  if ((ops & kMessages) != 0) ops |= kMessages;
  if (ops != 0 && !has(ops, key.op)) return false;
  if (policy.dtypes != 0 && !has(policy.dtypes, key.dtype)) return false;
  if (reduces && policy.redops != 0 && !has(policy.redops, key.redop)) return false;
  if (policy.memory != 0 && !has(policy.memory, key.memory)) return false;
  if (ranks < policy.ranks_from || ranks > policy.ranks_to) return false;
  if (policy.group == "other") return false;
  if (call.bytes == kUnsized) return policy.bytes_from == 0 && policy.bytes_to == UINT64_MAX;
  return policy.bytes_from <= call.bytes && call.bytes <= policy.bytes_to;
}

// "id/rule" of the one that must serve, "" when no backend does.
std::string naive(const std::vector<ChainBackend>& backends,
                  const std::vector<PolicyRule>& policies, const Asked& call, uint32_t ranks,
                  muster_determinism determinism) {
  std::vector<std::string> forbidden;
  std::vector<std::string> preferred;
  for (const PolicyRule& policy : policies) {
    if (policy.forbid && concerns(policy, call, ranks)) {
      forbidden = *policy.forbid;
      break;
    }
  }
  for (const PolicyRule& policy : policies) {
    if (policy.prefer && concerns(policy, call, ranks)) {
      preferred = *policy.prefer;
      break;
    }
  }
  using Rank = std::tuple<size_t, int32_t, int32_t, std::string, size_t>;
  std::vector<Rank> candidates;
  for (const ChainBackend& backend : backends) {
    if (std::count(forbidden.begin(), forbidden.end(), backend.id) != 0) continue;
    const auto wish = std::find(preferred.begin(), preferred.end(), backend.id);
    for (size_t r = 0; r < backend.rules.size(); ++r) {
      if (!takes(backend.rules[r], call, ranks, determinism)) continue;
      candidates.emplace_back(wish - preferred.begin(), -backend.priority, -backend.rules[r].score,
                              backend.id, r);
    }
  }
  if (candidates.empty()) return {};
  const Rank best = *std::min_element(candidates.begin(), candidates.end());
  return std::get<3>(best) + "/" + std::to_string(std::get<4>(best));
}

Asked random_call(Generator& generator, const std::vector<ChainBackend>& backends) {
  Asked call{};
  do {
    call.key.op = static_cast<muster_op>(1 + generator.below(MUSTER_OP_END - 1));
  } while (call.key.op == MUSTER_RECV || call.key.op == MUSTER_SEND_RECV);
  do {
    call.key = key_of(call.key.op, static_cast<muster_dtype>(1 + generator.below(15)),
                      static_cast<muster_redop>(1 + generator.below(11)));
  } while (op_reduces(call.key.op) && !redop_applies(call.key.redop, call.key.dtype));
  call.key.memory = generator.one_in(4) ? MUSTER_CUDA : MUSTER_HOST;
  call.key.phase = static_cast<PhaseClass>(generator.below(kPhaseClassEnd));
  if (generator.one_in(2)) call.key.phase = kPhaseEager;
  // Sizes at the edges of what the backends said, and one beside.
  const ChainBackend& backend = backends[generator.below(backends.size())];
  const muster_rule& rule = backend.rules[generator.below(backend.rules.size())];
  const uint64_t edge = generator.one_in(2) ? rule.bytes_from : rule.bytes_to;
  const uint64_t sizes[] = {edge, edge + 1, edge == 0 ? 0 : edge - 1, generator.size(),
                            generator.below(1 << 21)};
  call.bytes = std::min(sizes[generator.below(std::size(sizes))], kUnsized - 1);
  if (op_can_be_unsized(call.key.op) && (call.key.op == MUSTER_SEND || generator.one_in(2)))
    call.bytes = kUnsized;
  call.in_place = generator.one_in(3);
  call.symmetric = generator.one_in(3);
  call.stream = generator.one_in(4) ? MUSTER_STREAM_CUDA : MUSTER_STREAM_NONE;
  return call;
}

class ChainProperty : public ::testing::TestWithParam<uint64_t> {};

TEST_P(ChainProperty, GivenRandomRulesAndPoliciesThenTheTableAnswersAsANaiveEvaluationDoes) {
  Generator generator(GetParam());
  std::vector<ChainBackend> backends;
  const uint64_t count = 1 + generator.below(5);
  for (uint64_t b = 0; b < count; ++b) {
    std::vector<muster_rule> rules;
    const uint64_t rule_count = 1 + generator.below(4);
    for (uint64_t r = 0; r < rule_count; ++r) rules.push_back(generator.rule());
    backends.push_back(backend_of(std::string(1, static_cast<char>('a' + b)),
                                  static_cast<int32_t>(generator.below(3)), rules));
  }
  std::shuffle(backends.begin(), backends.end(), generator.random());
  std::vector<PolicyRule> policies;
  const uint64_t policy_count = generator.below(4);
  for (uint64_t p = 0; p < policy_count; ++p) policies.push_back(generator.policy(backends));
  const uint32_t ranks = 2 + static_cast<uint32_t>(generator.below(5));
  const auto determinism = static_cast<muster_determinism>(generator.below(3));
  const Chain chain = chain_of(backends, policies, ranks, determinism);

  for (int i = 0; i < 3000; ++i) {
    const Asked call = random_call(generator, backends);
    const std::string expected = naive(backends, policies, call, ranks, determinism);
    const Candidate* const found = find(chain, call.key, call.bytes, call.traits());
    std::string got;  // a composition, or nobody: where no backend takes the call
    if (found != nullptr && found->backend != kComposed)
      got = chain.backends[found->backend].id + "/" + std::to_string(found->rule);
    ASSERT_EQ(got, expected) << op_name(call.key.op) << " " << dtype_name(call.key.dtype) << " "
                             << redop_name(call.key.redop) << " bytes " << call.bytes << " phase "
                             << phase_class_name(call.key.phase) << " in place " << call.in_place;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChainProperty, ::testing::Range<uint64_t>(1, 41));

}  // namespace
}  // namespace muster::testing
