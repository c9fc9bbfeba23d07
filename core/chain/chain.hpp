// The chain of a group: which backends, in which order, for which calls. A pure function of what
// all ranks hold alike.
//
// Order of preference: forbid > a rule's prefer > priority (the user's, else the plugin's) > the
// rule's score (within equal priority) > lower id. compile_chain neither allocates devices nor
// talks to anyone: `muster explain` calls it for imagined groups.
#ifndef MUSTER_CORE_CHAIN_CHAIN_HPP
#define MUSTER_CORE_CHAIN_CHAIN_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/chain/table.hpp"
#include "muster/backend.h"

namespace muster {

// One backend that may serve the group.
struct ChainBackend {
  std::string id;
  int32_t priority = 0;
  std::string priority_source;  // "plugin", or the configuration's place
  std::vector<muster_rule> rules;
  std::vector<std::string> declined;  // what it does not offer, and why: for people
};

// A backend that does not, and why. Equal on all ranks.
struct LeftOut {
  std::string id;
  Stage stage = Stage::kQuery;
  std::string reason;
  std::string source;
};

struct ChainInputs {
  std::string group_name;
  uint32_t ranks = 1;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  std::vector<ChainBackend> backends;
  // Kinds of device memory, as bits, that every rank can copy from and to: what nobody offers on
  // them is staged through the host.
  uint64_t staged_memory = 0;
  const std::vector<PolicyRule>* policy = nullptr;  // the rules of the configuration
};

struct Chain {
  std::string group_name;
  uint32_t ranks = 1;
  muster_determinism determinism = MUSTER_NONDETERMINISTIC;
  std::vector<ChainBackend> backends;  // in order of priority, then id
  uint64_t staged_memory = 0;          // as in ChainInputs
  std::vector<PolicyRule> policy;      // those that concern this group
  std::vector<LeftOut> left_out;
  Table table;
};

Chain compile_chain(const ChainInputs& inputs);

// The first policy rule that matches and has the field; NULL when none has.
const PolicyRule* preferring_rule(const Chain& chain, const CellKey& key, uint64_t bytes);
const PolicyRule* forbidding_rule(const Chain& chain, const CellKey& key, uint64_t bytes);

// Everything in the chain that decides, as canonical text: its digest names the chain.
std::string chain_text(const Chain& chain);
std::string rule_text(const muster_rule& rule);

}  // namespace muster

#endif
