#include "plugins/backends/mpi/backend.hpp"

#include <cstring>
#include <set>

#include "plugins/backends/mpi/bootstrap.hpp"
#include "plugins/backends/mpi/process.hpp"
#include "plugins/backends/mpi/types.hpp"

namespace muster::mpi {
namespace {

constexpr uint64_t kIntegers = MUSTER_BIT(MUSTER_I8) | MUSTER_BIT(MUSTER_U8) |
                               MUSTER_BIT(MUSTER_I16) | MUSTER_BIT(MUSTER_U16) |
                               MUSTER_BIT(MUSTER_I32) | MUSTER_BIT(MUSTER_U32) |
                               MUSTER_BIT(MUSTER_I64) | MUSTER_BIT(MUSTER_U64);
constexpr uint64_t kFloats = MUSTER_BIT(MUSTER_F16) | MUSTER_BIT(MUSTER_BF16) |
                             MUSTER_BIT(MUSTER_F32) | MUSTER_BIT(MUSTER_F64);
constexpr uint64_t kAnyType = kIntegers | kFloats | MUSTER_BIT(MUSTER_BOOL) |
                              MUSTER_BIT(MUSTER_F8E4M3) | MUSTER_BIT(MUSTER_F8E5M2);
constexpr uint64_t kArithmetic = MUSTER_BIT(MUSTER_SUM) | MUSTER_BIT(MUSTER_PROD) |
                                 MUSTER_BIT(MUSTER_MIN) | MUSTER_BIT(MUSTER_MAX) |
                                 MUSTER_BIT(MUSTER_AVG);
constexpr uint64_t kLogical = MUSTER_BIT(MUSTER_BAND) | MUSTER_BIT(MUSTER_BOR) |
                              MUSTER_BIT(MUSTER_BXOR) | MUSTER_BIT(MUSTER_LAND) |
                              MUSTER_BIT(MUSTER_LOR) | MUSTER_BIT(MUSTER_LXOR);
constexpr uint64_t kReductions = MUSTER_BIT(MUSTER_ALL_REDUCE) | MUSTER_BIT(MUSTER_REDUCE) |
                                 MUSTER_BIT(MUSTER_REDUCE_SCATTER) |
                                 MUSTER_BIT(MUSTER_REDUCE_SCATTERV);
constexpr uint64_t kMoves =
    MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_ALL_GATHER) | MUSTER_BIT(MUSTER_ALL_GATHERV) |
    MUSTER_BIT(MUSTER_GATHER) | MUSTER_BIT(MUSTER_GATHERV) | MUSTER_BIT(MUSTER_SCATTER) |
    MUSTER_BIT(MUSTER_SCATTERV) | MUSTER_BIT(MUSTER_ALL_TO_ALL) | MUSTER_BIT(MUSTER_ALL_TO_ALLV) |
    MUSTER_BIT(MUSTER_SEND) | MUSTER_BIT(MUSTER_RECV) | MUSTER_BIT(MUSTER_SEND_RECV);

void add_rule(const plugin::Query& query, const char* name, uint64_t ops, uint64_t dtypes,
              uint64_t redops, muster_determinism determinism) {
  muster_rule rule = plugin::rule(name, ops);
  rule.dtypes = dtypes;
  rule.redops = redops;
  rule.memory = MUSTER_BIT(MUSTER_HOST);
  rule.phases = MUSTER_BIT(MUSTER_EAGER);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  rule.ranks_from = 2;
  rule.flags = MUSTER_RULE_UNSIZED;
  rule.determinism = determinism;
  query.add(rule);
}

// Why the group cannot be served, "" when it can.
std::string reason_against(const plugin::Query& query) {
  if (query.size() < 2) return "a group of one rank needs no MPI";
  std::set<uint32_t> processes;
  std::set<std::string> ranks;
  const bool adopt = !query.option("adopt_comm").empty();
  for (uint32_t r = 0; r < query.size(); ++r) {
    const std::string who = "rank " + std::to_string(r);
    if (!processes.insert(query.place(r).process).second) {
      return who + " shares its process with another rank; MPI has one rank per process";
    }
    const std::string rank = query.fact(r, "mpi.rank");
    if (rank.empty()) {
      return who + " was not started by an MPI launcher and has not called MPI_Init";
    }
    if (query.fact(r, "mpi.state") != "initialised" && query.bootstrap() != "mpi") {
      return who + " has not called MPI_Init, and the ranks did not meet through bootstrap mpi";
    }
    if (adopt) continue;  // the communicator itself is checked in connect
    if (query.fact(r, "mpi.job") != query.fact(0, "mpi.job")) {
      return who + " belongs to another MPI job than rank 0";
    }
    if (!ranks.insert(rank).second) {
      return who + " is rank " + rank + " of MPI_COMM_WORLD, and so is another one";
    }
  }
  return {};
}

}  // namespace

void Backend::probe(plugin::Facts facts) {
  // A process that nobody asked MPI of does not pay for its library.
  if (launched()) require_library();
  if (const std::string version = library_version(); !version.empty())
    facts.put("mpi.version", version);
  const Seat here = seat();
  if (here.rank < 0) return;
  facts.put("mpi.state", live() ? "initialised" : "launched");
  facts.put("mpi.job", here.job);
  facts.put("mpi.rank", std::to_string(here.rank));
  facts.put("mpi.size", std::to_string(here.size));
  if (live()) facts.put("mpi.thread", thread_level());
}

void Backend::offer(plugin::Query query) {
  const std::string reason = reason_against(query);
  if (!reason.empty()) return query.decline(reason);
  // Exact operations give the same bits in any order. Floats are combined in an order that Open MPI
  // derives from ranks, count and position, and that may differ between the ranks of one call.
  add_rule(query, "exact", kReductions, kIntegers, kArithmetic | kLogical, MUSTER_SIZE_INVARIANT);
  add_rule(query, "exact_bool", kReductions, MUSTER_BIT(MUSTER_BOOL),
           kLogical | MUSTER_BIT(MUSTER_MIN) | MUSTER_BIT(MUSTER_MAX), MUSTER_SIZE_INVARIANT);
  add_rule(query, "float", kReductions, kFloats, kArithmetic, MUSTER_RUN_TO_RUN);
  add_rule(query, "move", kMoves, kAnyType, 0, MUSTER_SIZE_INVARIANT);
  add_rule(query, "barrier", MUSTER_BIT(MUSTER_BARRIER), 0, 0, MUSTER_SIZE_INVARIANT);
}

std::unique_ptr<Group> Backend::prepare(plugin::Group group) {
  resolve_kernels(host_);
  return std::make_unique<Group>(group);
}

const void* Backend::interface(const char* name) {
  return std::strcmp(name, MUSTER_BOOTSTRAP_INTERFACE) == 0 ? bootstrap_table() : nullptr;
}

}  // namespace muster::mpi
