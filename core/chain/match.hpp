// Whether a backend's rule takes a kind of call, and if not, why: the one judgement that the
// compiler of the table and explain share.
#ifndef MUSTER_CORE_CHAIN_MATCH_HPP
#define MUSTER_CORE_CHAIN_MATCH_HPP

#include <cstdint>
#include <string>

#include "core/chain/key.hpp"
#include "muster/backend.h"

namespace muster {

enum class Mismatch {
  kNone,
  kOperation,
  kDtype,
  kRedop,
  kMemory,
  kPhase,
  kRanks,
  kDeterminism,
  kPlace,         // tied to a place that not all ranks know
  kPointToPoint,  // offers some of send, recv, send_recv, or only for some sizes
  kUnsized,       // the call's size is not known to all ranks
  kBytes
};

// Everything but the size.
Mismatch match_cell(const muster_rule& rule, const CellKey& key, uint32_t ranks,
                    muster_determinism determinism);
// The size alone; bytes may be kUnsized.
Mismatch match_bytes(const muster_rule& rule, uint64_t bytes);

// The inclusive limits of a rule.
uint64_t rule_bytes_from(const muster_rule& rule);
uint64_t rule_bytes_to(const muster_rule& rule);

// "offers bytes 0..64KiB only", for people.
std::string explain_mismatch(Mismatch mismatch, const muster_rule& rule, const CellKey& key,
                             uint32_t ranks, muster_determinism determinism);

}  // namespace muster

#endif
