#include "core/chain/match.hpp"

#include <fmt/format.h>

#include "core/base/units.hpp"

namespace muster {
namespace {

constexpr uint64_t kPointToPoint =
    MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV);

bool has(uint64_t bits, uint32_t value) { return (bits & MUSTER_BIT(value)) != 0; }

uint64_t phase_bits(PhaseClass phase) {
  switch (phase) {
    case kPhaseEager:
      return MUSTER_BIT(MUSTER_EAGER);
    case kPhaseGraph:
      return MUSTER_BIT(MUSTER_GRAPH_WARMUP) | MUSTER_BIT(MUSTER_GRAPH_CAPTURE);
    default:
      return MUSTER_BIT(MUSTER_GRAPH_PIECEWISE);
  }
}

template <typename Name>
std::string names_of(uint64_t bits, uint32_t end, Name name) {
  std::string text;
  for (uint32_t value = 0; value < end; ++value) {
    if (has(bits, value)) text.append(text.empty() ? "" : " ").append(name(value));
  }
  return text.empty() ? "none" : text;
}

}  // namespace

uint64_t rule_bytes_from(const muster_rule& rule) { return rule.bytes_from; }

uint64_t rule_bytes_to(const muster_rule& rule) {
  if (rule.bytes_to == 0 && rule.bytes_from == 0) return kUnsized - 1;
  return rule.bytes_to == kUnsized ? kUnsized - 1 : rule.bytes_to;
}

Mismatch match_cell(const muster_rule& rule, const CellKey& key, uint32_t ranks,
                    muster_determinism determinism) {
  const bool point_to_point = op_is_point_to_point(key.op);
  if (point_to_point ? (rule.ops & kPointToPoint) == 0 : !has(rule.ops, key.op))
    return Mismatch::kOperation;
  if (key.op != MUSTER_BARRIER && !has(rule.dtypes, key.dtype)) return Mismatch::kDtype;
  if (op_reduces(key.op) && !has(rule.redops, key.redop)) return Mismatch::kRedop;
  const uint64_t memory = rule.memory == 0 ? MUSTER_BIT(MUSTER_HOST) : rule.memory;
  if (!has(memory, key.memory)) return Mismatch::kMemory;
  const uint64_t phases = rule.phases == 0 ? MUSTER_BIT(MUSTER_EAGER) : rule.phases;
  if ((phases & phase_bits(key.phase)) != phase_bits(key.phase)) return Mismatch::kPhase;
  if (ranks < rule.ranks_from || (rule.ranks_to != 0 && ranks > rule.ranks_to))
    return Mismatch::kRanks;
  if (rule.determinism < determinism) return Mismatch::kDeterminism;
  if (rule.place != MUSTER_PLACE_ANY && (point_to_point || op_is_rooted(key.op)))
    return Mismatch::kPlace;
  if (point_to_point &&
      ((rule.ops & kPointToPoint) != kPointToPoint || (rule.flags & MUSTER_RULE_UNSIZED) == 0)) {
    return Mismatch::kPointToPoint;
  }
  return Mismatch::kNone;
}

Mismatch match_bytes(const muster_rule& rule, uint64_t bytes) {
  if (bytes == kUnsized) {
    // Nobody can tell whether an unknown size is a multiple.
    const bool takes = (rule.flags & MUSTER_RULE_UNSIZED) != 0 && rule.bytes_multiple <= 1;
    return takes ? Mismatch::kNone : Mismatch::kUnsized;
  }
  return bytes >= rule_bytes_from(rule) && bytes <= rule_bytes_to(rule) ? Mismatch::kNone
                                                                        : Mismatch::kBytes;
}

std::string explain_mismatch(Mismatch mismatch, const muster_rule& rule, const CellKey& key,
                             uint32_t ranks, muster_determinism determinism) {
  switch (mismatch) {
    case Mismatch::kNone:
      return "matches";
    case Mismatch::kOperation:
      return fmt::format("does not offer {}", op_name(key.op));
    case Mismatch::kDtype:
      return fmt::format("offers {} for {} only, not {}", op_name(key.op),
                         names_of(rule.dtypes, MUSTER_DTYPE_END, dtype_name),
                         dtype_name(key.dtype));
    case Mismatch::kRedop:
      return fmt::format("offers {} with {} only, not {}", op_name(key.op),
                         names_of(rule.redops, MUSTER_REDOP_END, redop_name),
                         redop_name(key.redop));
    case Mismatch::kMemory:
      return fmt::format("offers {} memory only, not {}",
                         names_of(rule.memory == 0 ? MUSTER_BIT(MUSTER_HOST) : rule.memory,
                                  MUSTER_MEMORY_END, memory_name),
                         memory_name(key.memory));
    case Mismatch::kPhase:
      return fmt::format("offers phases {} only, not {}",
                         names_of(rule.phases == 0 ? MUSTER_BIT(MUSTER_EAGER) : rule.phases,
                                  MUSTER_PHASE_END, phase_name),
                         phase_class_name(key.phase));
    case Mismatch::kRanks:
      return fmt::format(
          "offers groups of {} to {} ranks, not {}", rule.ranks_from,
          rule.ranks_to == 0 ? std::string("any number of") : std::to_string(rule.ranks_to), ranks);
    case Mismatch::kDeterminism:
      return fmt::format("keeps results {}, the group asks for {}",
                         determinism_name(rule.determinism), determinism_name(determinism));
    case Mismatch::kPlace:
      return "offers this only in place or only out of place, which the ranks of a rooted "
             "operation cannot tell alike";
    case Mismatch::kPointToPoint:
      return "does not offer send, recv and send_recv together and for any size";
    case Mismatch::kUnsized:
      return "takes only calls of known size (give max_bytes)";
    case Mismatch::kBytes:
      return fmt::format("offers {}..{} bytes only", format_bytes(rule_bytes_from(rule)),
                         rule_bytes_to(rule) >= kUnsized - 1 ? std::string("any")
                                                             : format_bytes(rule_bytes_to(rule)));
  }
  return "unknown";
}

}  // namespace muster
