// The backend "cuda_peer": collectives of 2 to 8 ranks with devices of one machine, by kernels that
// store into each other's memory.
#include "muster/plugin.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include "muster/variants.hpp"
#include "plugins/backends/cuda_peer/bands.hpp"
#include "plugins/backends/cuda_peer/facts.hpp"
#include "plugins/backends/cuda_peer/group.hpp"
#include "plugins/backends/cuda_peer/settings.hpp"
#include "plugins/backends/cuda_peer/telling.hpp"
#include "plugins/backends/cuda_peer/vocabulary.hpp"

namespace muster::cuda_peer {
namespace {

constexpr int32_t kKnownScore = 1;  // before the rules that know nothing of a call's memory

// A rule for calls on a CUDA stream, in every phase. All algorithms combine in rank order.
muster_rule device_rule(Algorithm algorithm, muster_op op) {
  muster_rule rule = plugin::rule(algorithm_name(algorithm), MUSTER_BIT(op));
  rule.dtypes = is_reduction(op) ? kReducible : kMovable;
  rule.redops = is_reduction(op) ? kRedops : 0;
  rule.memory = MUSTER_BIT(MUSTER_CUDA);
  rule.phases = MUSTER_BIT(MUSTER_EAGER) | MUSTER_BIT(MUSTER_GRAPH_WARMUP) |
                MUSTER_BIT(MUSTER_GRAPH_CAPTURE) | MUSTER_BIT(MUSTER_GRAPH_PIECEWISE);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_CUDA);
  rule.determinism = MUSTER_SIZE_INVARIANT;
  return rule;
}

// An offer of what is ready on all ranks: rules lose the element types that are not.
class Offering {
 public:
  Offering(const plugin::Query& query, const Verdict& verdict) : query_(query), verdict_(verdict) {}
  void add(muster_rule rule) const {
    const bool moves = std::any_of(std::begin(kMoves), std::end(kMoves),
                                   [&](muster_op op) { return rule.ops == MUSTER_BIT(op); });
    rule.dtypes &= moves ? verdict_.movable : verdict_.reducible;
    if (rule.dtypes != 0) query_.add(rule);
  }

 private:
  const plugin::Query& query_;
  const Verdict& verdict_;
};

void add_bands(const Offering& offering, muster_op op, const Band& band) {
  uint64_t from = 0;
  const auto add = [&](Algorithm algorithm, uint64_t to) {
    muster_rule rule = device_rule(algorithm, op);
    rule.bytes_from = from;
    rule.bytes_to = to;
    offering.add(rule);
    from = to + 1;
  };
  if (band.one_shot != 0) add(Algorithm::kOneShotPush, band.one_shot);
  if (band.two_shot > band.one_shot) add(Algorithm::kTwoShotPush, band.two_shot);
  // After the largest size there is no further one.
  const bool all = band.one_shot == UINT64_MAX || band.two_shot == UINT64_MAX;
  if (!all) add(Algorithm::kStaged, UINT64_MAX);
}

// Of calls whose buffers all ranks know. The rules above take them as well; these say how they are
// served. direct: stages without stages for results.
void add_known(const Offering& offering, muster_op op, const Band& band) {
  const auto add = [&](Algorithm algorithm, uint64_t from, uint64_t to, const char* name) {
    muster_rule rule = device_rule(algorithm, op);
    rule.score = kKnownScore;
    rule.flags = MUSTER_RULE_SYMMETRIC;
    rule.bytes_from = from;
    rule.bytes_to = to;
    if (algorithm == Algorithm::kOneShotPull && !is_pullable(op, 1)) rule.bytes_multiple = 16;
    if (name != nullptr) std::snprintf(rule.name, sizeof(rule.name), "%s", name);
    offering.add(rule);
  };
  if (band.pull_to != 0) {
    add(Algorithm::kOneShotPull, band.pull_from, band.pull_to, nullptr);
  }
  const uint64_t lines_to = std::max(band.one_shot, band.two_shot);
  uint64_t from = band.direct_from;
  if (from == 0) from = lines_to == UINT64_MAX ? 0 : lines_to + 1;
  if (band.pull_to != 0 && from <= band.pull_to) {
    from = band.pull_to == UINT64_MAX ? 0 : band.pull_to + 1;
  }
  const bool never = from == 0 && lines_to + band.pull_to != 0;
  if (op != MUSTER_REDUCE_SCATTER && !never) {
    add(Algorithm::kStaged, from, UINT64_MAX, "direct");
  }
}

// One shot only: beyond, reducing and normalising apart is faster.
void add_fused(const Offering& offering, const std::string& architecture, const Band& band) {
  if (band.one_shot == 0) return;
  muster_rule rule = device_rule(Algorithm::kOneShotPush, MUSTER_FUSED_ALL_REDUCE_RMSNORM);
  rule.dtypes = kReducible;
  rule.redops = MUSTER_BIT(MUSTER_SUM);
  rule.bytes_to = band.one_shot;
  // How the squares of a row are summed depends on how many blocks it has.
  rule.determinism = MUSTER_RANK_INVARIANT;
  if (std::stoi(architecture.substr(3)) >= 89) rule.flags = MUSTER_RULE_QUANTISED;
  offering.add(rule);
}

class CudaPeerBackend : public Declared {
 public:
  static constexpr int32_t kPriority = 70;

  explicit CudaPeerBackend(plugin::Host host) : host_(host) {}

  void probe(plugin::Facts facts) {
    cu::raising([&] { put_facts(facts, Cubins(host_)); });
  }

  void offer(plugin::Query query) {
    const Verdict verdict = judge(query);
    if (!verdict.obstacle.empty()) {
      query.decline(verdict.obstacle);
      return;
    }
    if (!verdict.no_lines.empty()) query.decline(verdict.no_lines);
    for (const std::string& reason : verdict.not_ready) query.decline(reason);
    const Offering offering(query, verdict);
    const Bands bands = Bands::of(verdict.architecture, query.size(), query.option("bands"),
                                  query.option("algorithm"), verdict.no_lines.empty());
    const bool direct = query.option("direct") == "true";
    for (const muster_op op : kReductions) add_bands(offering, op, bands[op]);
    add_fused(offering, verdict.architecture, bands[MUSTER_FUSED_ALL_REDUCE_RMSNORM]);
    for (const muster_op op : kMoves) add_bands(offering, op, bands[op]);
    for (muster_op op = 0; direct && op < MUSTER_OP_END; ++op) {
      if (is_reduction(op) || is_move(op)) add_known(offering, op, bands[op]);
    }
  }

  std::unique_ptr<PeerGroup> prepare(plugin::Group group) {
    return cu::raising([&] { return std::make_unique<PeerGroup>(group); });
  }

  const void* interface(const char* name) {
    return plugin::variants_interface<CudaPeerBackend>(name);
  }
  void architectures(plugin::ImageSink sink) {
    for (const std::string& architecture : architectures_here()) sink.text(architecture);
  }
  void list_variants(const std::string& architecture, plugin::VariantSink sink) {
    for (unsigned ranks = 2; ranks <= kMaxRanks; ++ranks) {
      for (const ProgramKey& key : programs_of(ranks, architecture)) {
        sink.put(Program(key).variant());
      }
    }
  }
  void build_variant(const muster_variant& variant, plugin::ImageSink sink) {
    const Compiled compiled = built_cubin(program_of(variant));
    sink.text(compiled.log);
    sink.image(compiled.cubin);
  }

 private:
  plugin::Host host_;
};

}  // namespace
}  // namespace muster::cuda_peer

extern "C" {
extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;
}
MUSTER_PLUGIN_RECORD(muster_plugin_entry, muster::cuda_peer::CudaPeerBackend,
                     muster::cuda_peer::PeerGroup, "cuda_peer", MUSTER_VERSION, "muster",
                     MUSTER_BACKEND_INTERFACE " " MUSTER_VARIANTS_INTERFACE, "CUDA_VISIBLE_DEVICES",
                     "/dev/nvidiactl");
