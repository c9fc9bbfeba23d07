// Rules, policies and questions for tests of the chain and of explain.
#ifndef MUSTER_TESTS_UNIT_CHAIN_RULES_HPP
#define MUSTER_TESTS_UNIT_CHAIN_RULES_HPP

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/chain/chain.hpp"

namespace muster::testing {

inline uint64_t bits(std::initializer_list<uint32_t> values) {
  uint64_t mask = 0;
  for (const uint32_t value : values) mask |= MUSTER_BIT(value);
  return mask;
}

constexpr uint64_t all_below(uint32_t end) { return MUSTER_BIT(end) - 2; }
constexpr uint64_t kMessages =
    MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV);

// Takes these operations of every dtype and reduce operation, of any known size, in host memory.
inline muster_rule rule_for_all(uint64_t ops, const char* name = "rule") {
  muster_rule rule{};
  rule.struct_size = MUSTER_RULE_SIZE;
  rule.ops = ops;
  rule.dtypes = all_below(MUSTER_DTYPE_END);
  rule.redops = all_below(MUSTER_REDOP_END);
  rule.determinism = MUSTER_SIZE_INVARIANT;
  std::strncpy(rule.name, name, sizeof(rule.name) - 1);
  return rule;
}
inline muster_rule rule_for(muster_op op, const char* name = "rule") {
  return rule_for_all(MUSTER_BIT(op), name);
}

inline ChainBackend backend_of(const std::string& id, int32_t priority,
                               std::vector<muster_rule> rules) {
  return {id, priority, "plugin", std::move(rules)};
}

inline PolicyRule policy_of(uint32_t line) {
  PolicyRule policy;
  policy.source = {Source::Kind::kFile, "/etc/muster.toml", line, 1};
  return policy;
}
inline PolicyRule prefer(std::vector<std::string> ids, uint32_t line = 1) {
  PolicyRule policy = policy_of(line);
  policy.prefer = std::move(ids);
  return policy;
}
inline PolicyRule forbid(std::vector<std::string> ids, uint32_t line = 1) {
  PolicyRule policy = policy_of(line);
  policy.forbid = std::move(ids);
  return policy;
}

inline Chain chain_of(std::vector<ChainBackend> backends,
                      const std::vector<PolicyRule>& policy = {}, uint32_t ranks = 4,
                      muster_determinism determinism = MUSTER_NONDETERMINISTIC,
                      const std::string& group = "tp") {
  ChainInputs inputs;
  inputs.group_name = group;
  inputs.ranks = ranks;
  inputs.determinism = determinism;
  inputs.backends = std::move(backends);
  inputs.policy = &policy;
  return compile_chain(inputs);
}

inline CellKey key_of(muster_op op, muster_dtype dtype = MUSTER_F32,
                      muster_redop redop = MUSTER_SUM) {
  CellKey key;
  key.op = op;
  key.dtype = op == MUSTER_BARRIER ? muster_dtype{MUSTER_DTYPE_NONE} : dtype;
  key.redop = op_reduces(op) ? redop : muster_redop{MUSTER_REDOP_NONE};
  return key;
}
// That of most tests.
inline const CellKey kKey = key_of(MUSTER_ALL_REDUCE);

constexpr uint32_t kPlain = kTraitOutOfPlace | kTraitNotSymmetric | kTraitStream;
constexpr uint32_t kInPlace = kTraitInPlace | kTraitNotSymmetric | kTraitStream;

inline const Candidate* find(const Chain& chain, const CellKey& key, uint64_t bytes,
                             uint32_t traits = kPlain) {
  const uint8_t slot = chain.table.memory_slot[key.memory];
  if (slot == Table::kNoSlot) return nullptr;
  return chain.table.find(cell_index(slot, key.phase, key.op, key.dtype, key.redop), bytes, traits);
}

// The backend that serves, "composed", or "nobody".
inline std::string who(const Chain& chain, const CellKey& key, uint64_t bytes,
                       uint32_t traits = kPlain) {
  const Candidate* const candidate = find(chain, key, bytes, traits);
  if (candidate == nullptr) return "nobody";
  return candidate->backend == kComposed ? "composed" : chain.backends[candidate->backend].id;
}

}  // namespace muster::testing

#endif
