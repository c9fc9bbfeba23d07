// What NCCL does for a described group.
#include <map>
#include <string>

#include "plugins/backends/nccl/backend.hpp"
#include "plugins/backends/nccl/types.hpp"

namespace muster::nccl {
namespace {

constexpr uint64_t bits(std::initializer_list<uint32_t> values) {
  uint64_t mask = 0;
  for (const uint32_t value : values) mask |= MUSTER_BIT(value);
  return mask;
}

constexpr uint64_t kReductions =
    bits({MUSTER_ALL_REDUCE, MUSTER_REDUCE, MUSTER_REDUCE_SCATTER, MUSTER_REDUCE_SCATTERV});
constexpr uint64_t kMoves = bits({MUSTER_BROADCAST, MUSTER_ALL_GATHER, MUSTER_ALL_GATHERV});
// Groups of ncclSend and ncclRecv in every version; these in versions of kOwnMoves on NCCL's own.
constexpr uint64_t kMessages =
    bits({MUSTER_GATHERV, MUSTER_SCATTERV, MUSTER_SEND, MUSTER_RECV, MUSTER_SEND_RECV});
constexpr uint64_t kGathers = bits({MUSTER_GATHER, MUSTER_SCATTER});
constexpr int kOwnMoves = 228;
constexpr int kWindows = 227;
constexpr int kFp8 = 224;
constexpr uint64_t kAnyType = MUSTER_BIT(MUSTER_DTYPE_END) - MUSTER_BIT(MUSTER_I8);
constexpr uint64_t kIntegers =
    bits({MUSTER_I8, MUSTER_U8, MUSTER_I32, MUSTER_U32, MUSTER_I64, MUSTER_U64});
constexpr uint64_t kFloats = bits({MUSTER_F16, MUSTER_BF16, MUSTER_F32, MUSTER_F64});
constexpr uint64_t kNarrow = bits({MUSTER_F8E4M3, MUSTER_F8E5M2});
constexpr uint64_t kSums = bits({MUSTER_SUM, MUSTER_PROD, MUSTER_AVG});
constexpr uint64_t kExtrema = bits({MUSTER_MIN, MUSTER_MAX});
constexpr uint64_t kOfBool = kExtrema | bits({MUSTER_BAND, MUSTER_BOR, MUSTER_LAND, MUSTER_LOR});
constexpr uint64_t kGraph =
    bits({MUSTER_GRAPH_WARMUP, MUSTER_GRAPH_CAPTURE, MUSTER_GRAPH_PIECEWISE});

// On a stream in every phase; as a host call when eager.
void add(const plugin::Query& query, muster_rule rule, uint64_t phases, uint32_t place) {
  rule.memory = MUSTER_BIT(MUSTER_CUDA);
  rule.ranks_from = 2;
  rule.flags = MUSTER_RULE_UNSIZED;
  rule.place = place;
  rule.phases = phases;
  rule.streams = MUSTER_BIT(MUSTER_STREAM_CUDA);
  query.add(rule);
  rule.phases = MUSTER_BIT(MUSTER_EAGER);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  query.add(rule);
}

void add(const plugin::Query& query, const char* name, uint64_t ops, uint64_t dtypes,
         uint64_t redops, muster_determinism determinism) {
  muster_rule rule = plugin::rule(name, ops);
  rule.dtypes = dtypes;
  rule.redops = redops;
  rule.determinism = determinism;
  add(query, rule, MUSTER_BIT(MUSTER_EAGER) | kGraph, MUSTER_PLACE_ANY);
}

// The first of "<uuid> <capability> <name>", and whether the capability is at least 9.0, as fp8
// needs.
std::string uuid_of(const std::string& device) { return device.substr(0, device.find(' ')); }
bool reduces_fp8(const std::string& device) {
  const size_t at = device.find(' ');
  return at != std::string::npos && std::atof(device.c_str() + at + 1) >= 9.0;
}

std::string device_of(const plugin::Query& query, uint32_t rank) {
  const std::string index = std::to_string(query.place(rank).device);
  return query.fact(rank, ("cuda.device." + index).c_str());
}

// "2.28.9" as 228.
int level_of(const std::string& version) {
  const size_t dot = version.find('.');
  if (dot == std::string::npos) return 0;
  return std::atoi(version.c_str()) * 100 + std::atoi(version.c_str() + dot + 1);
}

std::string rank_text(uint32_t rank) { return "rank " + std::to_string(rank); }

// Why the group cannot be served, "" when it can.
std::string reason_against(const plugin::Query& query) {
  if (query.size() < 2) return "a group of one rank needs no NCCL";
  const std::string version = query.fact(0, "nccl.version");
  std::map<std::pair<uint32_t, std::string>, uint32_t> taken;
  for (uint32_t rank = 0; rank < query.size(); ++rank) {
    const muster_rank_place& place = query.place(rank);
    const std::string theirs = query.fact(rank, "nccl.version");
    const std::string missing = query.fact(rank, "nccl.missing");
    if (!missing.empty()) return rank_text(rank) + " has no NCCL: " + missing;
    if (theirs != version) {
      return rank_text(rank) + " has NCCL " + (theirs.empty() ? "of no known version" : theirs) +
             ", rank 0 " + version + "; NCCL wants one version on all ranks";
    }
    if (place.device < 0) {
      return rank_text(rank) +
             " is bound to no device (device_plus_one of muster_runtime_options binds it)";
    }
    const std::string device = device_of(query, rank);
    if (device.empty()) {
      return rank_text(rank) + " is bound to device " + std::to_string(place.device) +
             ", which it does not see";
    }
    const auto [found, first] = taken.try_emplace({place.node, uuid_of(device)}, rank);
    if (!first) {
      return "ranks " + std::to_string(found->second) + " and " + std::to_string(rank) +
             " share device " + std::to_string(place.device) + " (" + uuid_of(device) +
             "); NCCL has one rank per device";
    }
  }
  const int min = std::atoi(query.option("min_ctas").c_str());
  const int max = std::atoi(query.option("max_ctas").c_str());
  if (max != 0 && min > max)
    return "options min_ctas " + std::to_string(min) + " and max_ctas " + std::to_string(max) +
           " contradict each other";
  return {};
}

// Why fp8 is not reduced, "" when it is.
std::string against_fp8(const plugin::Query& query, const std::string& version) {
  if (level_of(version) < kFp8) return "NCCL " + version + " has none, 2.24 is the first that does";
  for (uint32_t rank = 0; rank < query.size(); ++rank) {
    const std::string device = device_of(query, rank);
    if (reduces_fp8(device)) continue;
    return rank_text(rank) + " has " + device.substr(device.find(' ') + 1) +
           ", they need compute capability 9.0";
  }
  return {};
}

// What floats keep. Of two ranks there is one sum, the same in whatever order. Of more, each piece
// of a buffer is summed in the order of a ring or tree that depends on the size; all ranks get the
// bits of one of them, except by kernels on windows, where each rank begins with its own.
void add_floats(const plugin::Query& query, uint64_t dtypes) {
  if (query.size() == 2)
    return add(query, "float", kReductions, dtypes, kSums, MUSTER_SIZE_INVARIANT);
  const bool windows = query.option("windows") == "true";
  add(query, "float", MUSTER_BIT(MUSTER_ALL_REDUCE), dtypes, kSums,
      windows ? MUSTER_RUN_TO_RUN : MUSTER_RANK_INVARIANT);
  add(query, "float", kReductions & ~MUSTER_BIT(MUSTER_ALL_REDUCE), dtypes, kSums,
      MUSTER_RUN_TO_RUN);
}

// In place it goes through scratch memory, which a captured graph could not keep.
void add_exchange(const plugin::Query& query, const char* name, uint64_t ops) {
  muster_rule exchange = plugin::rule(name, ops);
  exchange.dtypes = kAnyType;
  exchange.determinism = MUSTER_SIZE_INVARIANT;
  add(query, exchange, MUSTER_BIT(MUSTER_EAGER) | kGraph, MUSTER_PLACE_OUT);
  exchange = plugin::rule("exchange_staged", ops);
  exchange.dtypes = kAnyType;
  exchange.determinism = MUSTER_SIZE_INVARIANT;
  add(query, exchange, MUSTER_BIT(MUSTER_EAGER), MUSTER_PLACE_IN);
}

}  // namespace

void Backend::offer(plugin::Query query) {
  const std::string reason = reason_against(query);
  if (!reason.empty()) return query.decline(reason);
  add(query, "integer", kReductions, kIntegers, kSums | kExtrema, MUSTER_SIZE_INVARIANT);
  add(query, "bool", kReductions, MUSTER_BIT(MUSTER_BOOL), kOfBool, MUSTER_SIZE_INVARIANT);
  add_floats(query, kFloats);
  if (query.option("float_min_max") == "true") {
    // Which of +0 and -0 comes out depends on the order.
    add(query, "float_min_max", kReductions, kFloats, kExtrema, MUSTER_RUN_TO_RUN);
  } else {
    query.decline("min and max of floats: NCCL loses NaN (option float_min_max offers them)");
  }
  const std::string version = query.fact(0, "nccl.version");
  const std::string no_fp8 = against_fp8(query, version);
  if (no_fp8.empty()) {
    add(query, "fp8", kReductions, kNarrow, kSums, MUSTER_RUN_TO_RUN);
  } else {
    query.decline("reductions of fp8: " + no_fp8);
  }
  query.decline("reductions of i16 and u16, bitwise and logical ones of integers: NCCL has none");
  const bool own_moves = level_of(version) >= kOwnMoves;
  if (!own_moves) {
    query.decline("ncclAlltoAll, ncclGather and ncclScatter: NCCL " + version +
                  " lacks them, 2.28 is the first that has them; groups of ncclSend and ncclRecv "
                  "serve instead");
  }
  if (query.option("windows") == "true" && level_of(version) < kWindows) {
    query.decline("windows: NCCL " + version +
                  " lacks ncclCommWindowRegister, 2.27 is the first that has it; memory is served "
                  "without");
  }
  add(query, "move", own_moves ? kMoves | kGathers : kMoves, kAnyType, 0, MUSTER_SIZE_INVARIANT);
  add(query, "messages", own_moves ? kMessages : kMessages | kGathers, kAnyType, 0,
      MUSTER_SIZE_INVARIANT);
  add_exchange(query, own_moves ? "exchange" : "messages", MUSTER_BIT(MUSTER_ALL_TO_ALL));
  add_exchange(query, "messages", MUSTER_BIT(MUSTER_ALL_TO_ALLV));
}

}  // namespace muster::nccl
