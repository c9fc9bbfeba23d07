#include "tests/ranks/mpi/host.hpp"

#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "muster/entry.h"
#include "tests/ranks/mpi/kernels.hpp"

struct muster_status {
  muster_code code;
  std::string cause;
};

namespace muster::testing {
namespace {

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
uint64_t after_ms(uint64_t ms) { return now_ns() + ms * 1'000'000; }

muster_status* status_make(const muster_host*, muster_code code, const char* cause, const char*) {
  return new muster_status{code, cause};
}
muster_code status_code(const muster_status* status) {
  return status == nullptr ? static_cast<muster_code>(MUSTER_OK) : status->code;
}
const char* status_cause(const muster_status* status) {
  return status == nullptr ? "" : status->cause.c_str();
}
void status_release(muster_status* status) { delete status; }
void log(const muster_host*, muster_log_level, const char* line) {
  std::fprintf(stderr, "%s\n", line);
}
muster_kernel_function host_kernel(const muster_host*, const muster_kernel_key* key) {
  return kernel(*key);
}
const muster_group_info* group_info(const muster_host_group* group) { return &group->info; }
const char* group_option(const muster_host_group* group, const char* key) {
  const auto found = group->options.values.find(key);
  return found == group->options.values.end() ? nullptr : found->second.c_str();
}
muster_status* all_gather(muster_host_group* group, const void* data, uint64_t bytes, void* out) {
  std::vector<std::string> parts;
  const Outcome outcome = group->world->all_gather(
      group->ranks, group->info.tag, std::string(static_cast<const char*>(data), bytes), parts,
      group->options.connect_timeout_ms);
  if (!outcome.ok()) return new muster_status{outcome.code, outcome.cause};
  auto* to = static_cast<char*>(out);
  for (const std::string& part : parts) to = std::copy(part.begin(), part.end(), to);
  return nullptr;
}
uint64_t deadline_ns(const muster_host_group* group) { return after_ms(group->options.timeout_ms); }
uint32_t peer_alive(muster_host_group* group, uint32_t peer) {
  return static_cast<int32_t>(peer) == group->options.lost_peer ? 0 : 1;
}

muster_host make_host() {
  muster_host host{};
  host.struct_size = MUSTER_HOST_SIZE;
  host.abi_minor = MUSTER_ABI_MINOR;
  host.status_make = status_make;
  host.status_code = status_code;
  host.status_cause = status_cause;
  host.status_release = status_release;
  host.log = log;
  host.now_ns = now_ns;
  host.kernel = host_kernel;
  host.group_info = group_info;
  host.group_option = group_option;
  host.all_gather = all_gather;
  host.deadline_ns = deadline_ns;
  host.peer_alive = peer_alive;
  return host;
}
const muster_host kHost = make_host();

Outcome take(muster_status* status) {
  if (status == nullptr) return {};
  Outcome outcome{status->code, status->cause};
  delete status;
  return outcome;
}

}  // namespace

Plugin::Plugin(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) throw std::runtime_error(dlerror());
  entry_ = static_cast<const muster_entry*>(dlsym(library, MUSTER_PLUGIN_ENTRY_SYMBOL));
  const Outcome outcome = take(entry_->open(&kHost, &instance_));
  if (!outcome.ok()) throw std::runtime_error(outcome.cause);
  backend_ = static_cast<const muster_backend*>(
      entry_->get_interface(instance_, MUSTER_BACKEND_INTERFACE));
  bootstrap_ = static_cast<const muster_bootstrap*>(
      entry_->get_interface(instance_, MUSTER_BOOTSTRAP_INTERFACE));
}

Plugin::~Plugin() { entry_->close(instance_); }

std::map<std::string, std::string> Plugin::probe() const {
  std::map<std::string, std::string> facts;
  muster_fact_sink sink{};
  sink.struct_size = MUSTER_FACT_SINK_SIZE;
  sink.context = &facts;
  sink.put = [](void* context, const char* key, const char* value) {
    (*static_cast<std::map<std::string, std::string>*>(context))[key] = value;
  };
  const Outcome outcome = take(backend_->probe(instance_, &sink));
  if (!outcome.ok()) throw std::runtime_error(outcome.cause);
  return facts;
}

World::World(const Plugin& plugin, uint64_t timeout_ms) : plugin_(plugin) {
  const muster_bootstrap& table = plugin.bootstrap();
  opened_ = take(table.open(plugin.instance(), after_ms(timeout_ms), &world_));
  if (!opened_.ok()) return;
  rank_ = table.rank(world_);
  size_ = table.size(world_);
}

World::~World() {
  if (world_ != nullptr) plugin_.bootstrap().close(world_, after_ms(1000));
}

std::vector<uint32_t> World::everybody() const {
  std::vector<uint32_t> ranks(size_);
  for (uint32_t r = 0; r < size_; ++r) ranks[r] = r;
  return ranks;
}

Outcome World::all_gather(const std::vector<uint32_t>& ranks, uint64_t tag,
                          const std::string& bytes, std::vector<std::string>& out,
                          uint64_t timeout_ms) const {
  out.clear();
  const auto sink = [](void* context, uint32_t index, const void* data, uint64_t size) {
    auto& parts = *static_cast<std::vector<std::string>*>(context);
    if (index != parts.size()) std::abort();
    parts.emplace_back(static_cast<const char*>(data), size);
  };
  return take(plugin_.bootstrap().all_gather(world_, ranks.data(),
                                             static_cast<uint32_t>(ranks.size()), tag, bytes.data(),
                                             bytes.size(), after_ms(timeout_ms), sink, &out));
}

Group::Group(const World& world, std::vector<uint32_t> ranks, uint64_t tag, GroupOptions options)
    : backend_(world.plugin().backend()) {
  side_.world = &world;
  side_.ranks = std::move(ranks);
  side_.options = std::move(options);
  for (uint32_t i = 0; i < backend_.option_count; ++i) {
    side_.options.values.emplace(backend_.options[i].name, backend_.options[i].default_value);
  }
  side_.info.struct_size = MUSTER_GROUP_INFO_SIZE;
  side_.info.size = static_cast<uint32_t>(side_.ranks.size());
  side_.info.tag = tag;
  side_.info.name = "tested";
  side_.info.bootstrap = "mpi";
  for (uint32_t r = 0; r < side_.info.size; ++r) {
    side_.places.push_back({side_.ranks[r], 0, side_.ranks[r], -1});
    if (side_.ranks[r] == world.rank()) side_.info.rank = r;
  }
  side_.info.places = side_.places.data();
  connected_ = take(backend_.group_prepare(world.plugin().instance(), &side_, &group_));
  if (connected_.ok()) connected_ = take(backend_.group_connect(group_));
}

void Group::destroy() {
  if (group_ != nullptr) backend_.group_destroy(group_);
  group_ = nullptr;
}

Outcome Group::execute(const muster_call& call) { return take(backend_.execute(group_, &call)); }

Outcome Group::execute_batch(const std::vector<muster_call>& calls) {
  return take(backend_.execute_batch(group_, calls.data(), static_cast<uint32_t>(calls.size())));
}

Offer ask(const Plugin& plugin, const OfferQuestion& question) {
  struct Context {
    const OfferQuestion& question;
    Offer offer;
  } context{question, {}};
  muster_offer_query query{};
  query.struct_size = MUSTER_OFFER_QUERY_SIZE;
  query.size = static_cast<uint32_t>(question.places.size());
  query.group_name = "tested";
  query.bootstrap = question.bootstrap.c_str();
  query.places = question.places.data();
  query.context = &context;
  query.fact = [](void* c, uint32_t rank, const char* key) -> const char* {
    const auto& facts = static_cast<Context*>(c)->question.facts[rank];
    const auto found = facts.find(key);
    return found == facts.end() ? nullptr : found->second.c_str();
  };
  query.option = [](void* c, const char* key) -> const char* {
    return std::string(key) == "adopt_comm" ? static_cast<Context*>(c)->question.adopt_comm.c_str()
                                            : "2147483647";
  };
  query.add_rule = [](void* c, const muster_rule* rule) {
    static_cast<Context*>(c)->offer.rules.emplace_back(rule->name);
  };
  query.decline = [](void* c, const char* reason) {
    static_cast<Context*>(c)->offer.declined = reason;
  };
  const Outcome outcome = take(plugin.backend().offer(plugin.instance(), &query));
  if (!outcome.ok()) throw std::runtime_error(outcome.cause);
  return context.offer;
}

}  // namespace muster::testing
