// The backend "shm": collectives of ranks on one machine, through memory that they share.
//
// Memory per rank: four slots of chunk_bytes and, once used, eight boxes of box_bytes per peer.
#include "muster/plugin.hpp"

#include <string>

#include "plugins/backends/shm/group.hpp"
#include "plugins/backends/shm/segment.hpp"
#include "plugins/backends/shm/settings.hpp"
#include "plugins/backends/shm/vocabulary.hpp"

namespace muster::shm {
namespace {

// What a rank must have to take part, and the layout that it would use.
constexpr const char* kLayoutFact = "layout";
constexpr const char* kLayoutVersion = "1";

// A rule for host calls of any place, on host memory.
muster_rule host_rule(const char* name, uint64_t ops, uint64_t dtypes) {
  muster_rule rule = plugin::rule(name, ops);
  rule.dtypes = dtypes;
  rule.memory = MUSTER_BIT(MUSTER_HOST);
  rule.phases = MUSTER_BIT(MUSTER_EAGER) | MUSTER_BIT(MUSTER_GRAPH_PIECEWISE);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  rule.determinism = MUSTER_SIZE_INVARIANT;
  return rule;
}

// Every reduce operation where it is defined: all for integers, the arithmetic ones for floats.
void add_reductions(const plugin::Query& query, muster_rule rule) {
  rule.dtypes = kIntegers;
  rule.redops = kArithmetic | kBitwise;
  query.add(rule);
  rule.dtypes = kFloats;
  rule.redops = kArithmetic;
  query.add(rule);
}

// The fused operation, which is for some floats and sum only; quantised, too.
void add_fused(const plugin::Query& query, muster_rule rule) {
  rule.dtypes = kNormalised;
  rule.redops = MUSTER_BIT(MUSTER_SUM);
  rule.flags = MUSTER_RULE_QUANTISED;
  query.add(rule);
}

// Up to a limit in one shot, above in two.
void add_shots(const plugin::Query& query, uint64_t ops, uint64_t limit,
               void (*add)(const plugin::Query&, muster_rule)) {
  muster_rule small = host_rule("one_shot", ops, 0);
  small.bytes_to = limit;
  muster_rule large = host_rule("two_shot", ops, 0);
  large.bytes_from = limit == 0 ? 0 : limit + 1;
  large.bytes_to = UINT64_MAX;
  if (limit != 0) add(query, small);
  add(query, large);
}

// Why a described group cannot be served, empty when it can.
std::string obstacle(const plugin::Query& query) {
  if (query.size() < 2) return "a group of one rank shares memory with nobody";
  for (uint32_t r = 0; r < query.size(); ++r) {
    if (query.place(r).node != query.place(0).node) {
      return "rank " + std::to_string(r) + " is on another node than rank 0";
    }
    if (query.fact(r, kLayoutFact) != kLayoutVersion) {
      return "rank " + std::to_string(r) + " cannot share memory in the same way";
    }
  }
  return {};
}

class ShmBackend : public Declared {
 public:
  static constexpr int32_t kPriority = 80;

  explicit ShmBackend(plugin::Host) {}

  void probe(plugin::Facts facts) {
    make_memory(kPage);
    facts.put(kLayoutFact, kLayoutVersion);
  }

  void offer(plugin::Query query) {
    if (const std::string reason = obstacle(query); !reason.empty()) {
      query.decline(reason);
      return;
    }
    const Bands bands = Settings::bands_of(query);
    add_shots(query, MUSTER_BIT(MUSTER_ALL_REDUCE), bands.all_reduce, add_reductions);
    add_shots(query, MUSTER_BIT(MUSTER_REDUCE), bands.reduce, add_reductions);
    add_shots(query, MUSTER_BIT(MUSTER_FUSED_ALL_REDUCE_RMSNORM), bands.fused, add_fused);
    add_reductions(
        query,
        host_rule("chunked", MUSTER_BIT(MUSTER_REDUCE_SCATTER) | MUSTER_BIT(MUSTER_REDUCE_SCATTERV),
                  0));
    query.add(host_rule("chunked",
                        MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_ALL_GATHER) |
                            MUSTER_BIT(MUSTER_ALL_GATHERV) | MUSTER_BIT(MUSTER_GATHER) |
                            MUSTER_BIT(MUSTER_SCATTER) | MUSTER_BIT(MUSTER_ALL_TO_ALL),
                        kMovable));
    muster_rule messages = host_rule("messages",
                                     MUSTER_BIT(MUSTER_GATHERV) | MUSTER_BIT(MUSTER_SCATTERV) |
                                         MUSTER_BIT(MUSTER_ALL_TO_ALLV) | MUSTER_BIT(MUSTER_SEND) |
                                         MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV),
                                     kMovable);
    messages.flags = MUSTER_RULE_UNSIZED;
    query.add(messages);
    query.add(host_rule("words", MUSTER_BIT(MUSTER_BARRIER), 0));
  }

  std::unique_ptr<ShmGroup> prepare(plugin::Group group) {
    return std::make_unique<ShmGroup>(group);
  }
};

}  // namespace
}  // namespace muster::shm

MUSTER_PLUGIN(muster::shm::ShmBackend, muster::shm::ShmGroup, "shm", MUSTER_VERSION, "muster", "",
              "");
