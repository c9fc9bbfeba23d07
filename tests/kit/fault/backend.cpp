#include "tests/kit/fault/backend.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace muster::fault {
namespace {

using Tables = plugin::detail::Tables<FaultBackend, FaultGroup>;

Behaviour behaviour_of(const plugin::Query& query) {
  return {query.option("fault"), std::stoll(query.option("fault_rank")), 0};
}

// The rank of this process in its world, as the launchers say; none of an offer's business.
uint32_t rank_of_launcher() {
  for (const char* const name : {"MUSTER_LOCAL_RANK", "OMPI_COMM_WORLD_RANK"}) {
    if (const char* const text = std::getenv(name)) {
      return static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
    }
  }
  return 0;
}

muster_rule host_rule(const char* name, uint64_t ops, uint64_t dtypes, uint64_t redops) {
  muster_rule rule = plugin::rule(name, ops);
  rule.dtypes = dtypes;
  rule.redops = redops;
  rule.memory = MUSTER_BIT(MUSTER_HOST);
  rule.phases = MUSTER_BIT(MUSTER_EAGER) | MUSTER_BIT(MUSTER_GRAPH_WARMUP) |
                MUSTER_BIT(MUSTER_GRAPH_CAPTURE) | MUSTER_BIT(MUSTER_GRAPH_PIECEWISE);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  rule.determinism = MUSTER_SIZE_INVARIANT;
  return rule;
}

muster_status* execute(muster_backend_group* group, const muster_call* call) {
  if (Tables::state_of(group)->group->throws_in_execute()) throw Stray{};
  return Tables::execute(group, call);
}

muster_status* probe(muster_instance* instance, const muster_fact_sink* facts) {
  if (Behaviour::of_environment().throws("probe", 0)) throw Stray{};
  return Tables::probe(instance, facts);
}

muster_status* prepare(muster_instance* instance, muster_host_group* group,
                       muster_backend_group** out) {
  muster_status* const status = Tables::prepare(instance, group, out);
  if (status != nullptr || !Behaviour::of_environment().is("make and fail", 0)) return status;
  const muster_host* const host = Tables::instance_of(instance)->host;
  return host->status_make(host, MUSTER_UNAVAILABLE, "a group was made, but it fails", nullptr);
}

void destroy(muster_backend_group* group) {
  if (group == nullptr && Behaviour::of_environment().is("crash on NULL", 0)) std::abort();
  Tables::destroy(group);
}

muster_backend make_table(bool whole) {
  muster_backend table = Tables::table;
  table.probe = probe;
  table.execute = whole ? execute : nullptr;
  table.group_prepare = prepare;
  table.group_destroy = destroy;
  return table;
}

// What happens while the file is loaded.
__attribute__((constructor)) void load() { Behaviour::of_environment().act("constructor", 0); }

}  // namespace

FaultBackend::FaultBackend(plugin::Host host) : host_(host) {
  Behaviour::of_environment().act("open", 0);
}

FaultBackend::~FaultBackend() {
  const Behaviour behaviour = Behaviour::of_environment();
  if (behaviour.is("crash in close", 0)) behaviour.act("close", 0);
}

void FaultBackend::probe(plugin::Facts facts) {
  static std::atomic<int> probes{0};
  const Behaviour behaviour = Behaviour::of_environment();
  behaviour.act("probe", 0);
  if (behaviour.is("fact from a thread", 0)) {
    std::thread([&] { facts.put("thread", "1"); }).join();
  }
  facts.put("layout", behaviour.is("other facts", 0) ? std::to_string(++probes) : "1");
  if (behaviour.is("wrong fact", 0)) facts.put("Not a key", "1");
}

void FaultBackend::offer(plugin::Query query) {
  static std::atomic<int> offers{0};
  const Behaviour behaviour = behaviour_of(query);
  behaviour.act("offer", 0);
  if (query.size() < 2 || !query.one_node()) {
    return query.decline("it serves groups of several ranks on one machine");
  }
  const uint64_t floats_and_integers = MUSTER_BIT(MUSTER_F32) | MUSTER_BIT(MUSTER_I32);
  const uint64_t movable = MUSTER_BIT(MUSTER_DTYPE_END) - 2;
  muster_rule sums =
      host_rule("sum", MUSTER_BIT(MUSTER_ALL_REDUCE), floats_and_integers, MUSTER_BIT(MUSTER_SUM));
  if (behaviour.is("untrue rule", 0)) sums.redops |= MUSTER_BIT(MUSTER_MAX);
  if (behaviour.is("fail at the limit", 0)) sums.bytes_to = 4096;
  if (behaviour.is("impure offer", 0)) sums.score = ++offers % 100;
  // Told by the environment which rank it is.
  if (behaviour.is("offer by rank", rank_of_launcher())) sums.score = 7;
  if (behaviour.is("unknown operation", 0)) sums.ops |= MUSTER_BIT(60);
  if (behaviour.is("crash at an unknown class", 0) &&
      query.get().determinism >= MUSTER_DETERMINISM_END) {
    std::abort();
  }
  if (behaviour.is("flush in offer", 0)) {
    host_.get()->status_release(host_.get()->flush_pending(host_.get(), MUSTER_HOST));
  }
  if (behaviour.is("rule from a thread", 0)) {
    std::thread([&] { query.add(sums); }).join();
  }
  query.add(sums);
  query.add(
      host_rule("copy", MUSTER_BIT(MUSTER_BROADCAST) | MUSTER_BIT(MUSTER_ALL_GATHER), movable, 0));
  query.add(host_rule("words", MUSTER_BIT(MUSTER_BARRIER), 0, 0));
}

std::unique_ptr<FaultGroup> FaultBackend::prepare(plugin::Group group) {
  return std::make_unique<FaultGroup>(group);
}

muster_status* open(const muster_host* host, muster_instance** out) {
  return Tables::open(host, out);
}

void close(muster_instance* instance) {
  if (instance == nullptr && Behaviour::of_environment().is("crash on NULL", 0)) std::abort();
  Tables::close(instance);
}

const void* get_interface(muster_instance*, const char* name) {
  static const muster_backend table = make_table(true);
  static const muster_backend without_execute = make_table(false);
  const Behaviour behaviour = Behaviour::of_environment();
  if (behaviour.is("any interface", 0)) return &table;
  if (std::strcmp(name, MUSTER_BACKEND_INTERFACE) != 0) return nullptr;
  if (behaviour.is("no table", 0)) return nullptr;
  return behaviour.is("no execute", 0) ? &without_execute : &table;
}

}  // namespace muster::fault
