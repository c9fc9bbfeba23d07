// Why a call is served by whom: read from the compiled table and the records that it was compiled
// from, so that it cannot drift from what dispatch does. Text and JSON are printed from one
// Explanation.
#ifndef MUSTER_CORE_EXPLAIN_EXPLAIN_HPP
#define MUSTER_CORE_EXPLAIN_EXPLAIN_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "core/chain/chain.hpp"
#include "core/dispatch/group.hpp"
#include "core/query/kernel_table.hpp"

namespace muster {

struct Question {
  CellKey key;
  muster_op op = MUSTER_ALL_REDUCE;  // as asked; send, recv and send_recv share a row
  uint64_t bytes = 0;                // selection bytes, or kUnsized
  uint32_t traits = kTraitOutOfPlace | kTraitNotSymmetric | kTraitStream;
};

struct ExplainedCandidate {
  std::string backend;  // "shm", "composed(all_gather)"
  std::string rule;
  int32_t priority = 0;
  std::string priority_source;
  int32_t score = 0;
  std::string position;  // why it stands where it stands: "preferred by /etc/muster.toml:3:1",
                         // "priority 80", ...
  bool takes = true;     // this very call
  std::string refusal;   // why not
};

struct ExplainedAbsence {
  std::string backend;
  std::string stage;
  std::string reason;
  std::string source;
};

// What a backend of the chain does not offer, in its own words.
struct ExplainedDecline {
  std::string backend;
  std::string reason;
};

// Who takes such a call at other sizes.
struct ExplainedBand {
  std::string bytes;       // "64KiB..any"
  std::string candidates;  // "cuda_peer staged > nccl float"; "" when nobody does
};

struct Explanation {
  std::string group;
  uint32_t ranks = 0;
  std::string determinism;
  std::string digest;
  std::string call;    // "all_reduce bf16 sum 1MiB host eager"
  std::string answer;  // "" when nothing serves
  std::string band;    // "64KiB..any"
  std::vector<ExplainedCandidate> chain;
  std::vector<ExplainedBand> bands;  // neighbours differ
  std::vector<ExplainedDecline> declined;
  std::vector<ExplainedAbsence> left_out;
};

// One line of the text: what it is about ("chain", "left out", ...), and what it says.
struct ExplainedLine {
  std::string label;
  std::string text;
};

Explanation explain(const Chain& chain, const Question& question);
std::vector<ExplainedLine> explanation_lines(const Explanation& explanation);
std::string explanation_text(const Explanation& explanation);
// "muster.explain/1"; with the kernels that backends and compositions are given.
std::string explanation_json(const Explanation& explanation,
                             const std::vector<KernelsInUse>& kernels = {});

// "shm", or "composed(shm)" for a composition whose first part shm serves; valid as long as the
// group.
const char* shown_name(muster_group& group, const Candidate& candidate, const muster_call& call);

}  // namespace muster

#endif
