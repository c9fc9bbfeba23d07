#include "muster/testing/fake_host.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace muster::testing {

namespace {

struct FakeStatus {
  Outcome outcome;
};
std::atomic<int> live_status_count{0};

FakeStatus* fake(muster_status* status) { return reinterpret_cast<FakeStatus*>(status); }
const FakeStatus* fake(const muster_status* status) {
  return reinterpret_cast<const FakeStatus*>(status);
}

muster_status* status_make(const muster_host*, muster_code code, const char* cause,
                           const char* remedy) {
  ++live_status_count;
  auto* made = new FakeStatus{{code, cause, remedy == nullptr ? "" : remedy}};
  return reinterpret_cast<muster_status*>(made);
}
muster_code status_code(const muster_status* status) {
  return status == nullptr ? muster_code{MUSTER_OK} : fake(status)->outcome.code;
}
const char* status_cause(const muster_status* status) {
  return status == nullptr ? "" : fake(status)->outcome.cause.c_str();
}
void status_release(muster_status* status) {
  if (status == nullptr) return;
  --live_status_count;
  delete fake(status);
}
uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                               std::chrono::nanoseconds(1));
}

using Texts = std::map<std::string, std::string>;
const char* find(const Texts& texts, const char* key) {
  const auto found = texts.find(key);
  return found == texts.end() ? nullptr : found->second.c_str();
}

}  // namespace

// The table comes first, so that a muster_host* is also a State*.
struct FakeHost::State {
  muster_host host{};
  muster_group_info info{};
  muster_rank_place place{0, 0, 0, -1};
  Texts options;
  Texts group_options;
  std::vector<void*> scratch;
  mutable std::mutex mutex;
  std::vector<std::string> lines;

  static State& of(const muster_host* host) {
    return *reinterpret_cast<State*>(const_cast<muster_host*>(host));
  }
  static State& of(const muster_host_group* group) {
    return *reinterpret_cast<State*>(const_cast<muster_host_group*>(group));
  }
  void add_line(std::string line) {
    const std::lock_guard lock(mutex);
    lines.push_back(std::move(line));
  }
  muster_status* fail(muster_code code, const char* cause) {
    return status_make(&host, code, cause, nullptr);
  }
};

FakeHost::FakeHost() : state_(std::make_unique<State>()) {
  muster_group_info& info = state_->info;
  info.struct_size = MUSTER_GROUP_INFO_SIZE;
  info.size = 1;
  info.name = "fake";
  info.bootstrap = "single";
  info.places = &state_->place;

  muster_host& host = state_->host;
  host.struct_size = MUSTER_HOST_SIZE;
  host.abi_minor = MUSTER_ABI_MINOR;
  host.status_make = status_make;
  host.status_code = status_code;
  host.status_cause = status_cause;
  host.status_release = status_release;
  host.log = [](const muster_host* h, muster_log_level, const char* line) {
    State::of(h).add_line(line);
  };
  host.record = [](const muster_host* h, const char* subject, const char* verdict,
                   const char* reason) {
    State::of(h).add_line(std::string(subject) + ": " + verdict + ": " + reason);
  };
  host.option = [](const muster_host* h, const char* key) {
    return find(State::of(h).options, key);
  };
  host.now_ns = now_ns;
  host.kernel = [](const muster_host*, const muster_kernel_key*) -> muster_kernel_function {
    return nullptr;
  };
  host.flush_pending = [](const muster_host*, muster_memory) -> muster_status* { return nullptr; };
  host.get_interface = [](const muster_host*, const char*) -> const void* { return nullptr; };

  host.group_info = [](const muster_host_group* g) -> const muster_group_info* {
    return &State::of(g).info;
  };
  host.group_option = [](const muster_host_group* g, const char* key) {
    State& state = State::of(g);
    const char* value = find(state.group_options, key);
    return value != nullptr ? value : find(state.options, key);
  };
  host.all_gather = [](muster_host_group*, const void* data, uint64_t bytes,
                       void* out) -> muster_status* {
    std::memcpy(out, data, bytes);
    return nullptr;
  };
  host.broadcast = [](muster_host_group*, uint32_t, void*, uint64_t) -> muster_status* {
    return nullptr;
  };
  host.exchange_fds = [](muster_host_group* g, const int32_t*, uint32_t, int32_t*) {
    return State::of(g).fail(MUSTER_UNAVAILABLE, "a fake host exchanges no file descriptors");
  };
  host.scratch = [](muster_host_group* g, muster_memory memory, uint64_t bytes, void** out) {
    State& state = State::of(g);
    if (memory > MUSTER_HOST) return state.fail(MUSTER_UNAVAILABLE, "a fake host has host memory");
    state.scratch.push_back(std::aligned_alloc(4096, (bytes + 4096) / 4096 * 4096));
    *out = state.scratch.back();
    return static_cast<muster_status*>(nullptr);
  };
  host.deadline_ns = [](const muster_host_group*) { return now_ns() + 10'000'000'000u; };
  host.wait = [](muster_host_group* g, muster_wait_word* word, uint64_t at_least, uint32_t) {
    const bool reached = __atomic_load_n(&word->value, __ATOMIC_ACQUIRE) >= at_least;
    return reached ? nullptr
                   : State::of(g).fail(MUSTER_DEADLINE_EXCEEDED, "a lone rank would wait for ever");
  };
  host.signal = [](muster_wait_word* word, uint64_t value) {
    __atomic_store_n(&word->value, value, __ATOMIC_RELEASE);
  };
  host.peer_alive = [](muster_host_group*, uint32_t) { return 1u; };
}

FakeHost::~FakeHost() {
  for (void* pointer : state_->scratch) std::free(pointer);
}

const muster_host* FakeHost::get() const { return &state_->host; }
muster_host_group* FakeHost::group() { return reinterpret_cast<muster_host_group*>(state_.get()); }

void FakeHost::set_option(const std::string& key, const std::string& value) {
  state_->options[key] = value;
}
void FakeHost::set_group_option(const std::string& key, const std::string& value) {
  state_->group_options[key] = value;
}

Outcome FakeHost::take(muster_status* status) {
  if (status == nullptr) return {};
  Outcome outcome = fake(status)->outcome;
  status_release(status);
  return outcome;
}

int FakeHost::live_statuses() { return live_status_count; }

std::vector<std::string> FakeHost::log() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lines;
}

std::map<std::string, std::string> FakeHost::probe(const muster_backend& backend,
                                                   muster_instance* instance, Outcome* outcome) {
  Texts facts;
  muster_fact_sink sink{MUSTER_FACT_SINK_SIZE, 0, &facts,
                        [](void* context, const char* key, const char* value) {
                          (*static_cast<Texts*>(context))[key] = value;
                        }};
  Outcome result = take(backend.probe(instance, &sink));
  if (outcome != nullptr) *outcome = std::move(result);
  return facts;
}

FakeHost::Offer FakeHost::offer(const muster_backend& backend, muster_instance* instance,
                                uint32_t size, const std::map<std::string, std::string>& facts) {
  Asked asked;
  asked.bootstrap = size == 1 ? "single" : "local";
  asked.facts.assign(size, facts);
  return offer(backend, instance, asked);
}

FakeHost::Offer FakeHost::offer(const muster_backend& backend, muster_instance* instance,
                                const Asked& asked) {
  struct Context {
    Offer offer;
    const Asked& asked;
    const Texts& options;
  } context{{}, asked, state_->options};
  std::vector<muster_rank_place> places;
  for (uint32_t rank = 0; rank < asked.facts.size(); ++rank) {
    places.push_back({rank, 0, asked.bootstrap == "threads" ? 0 : rank, -1});
  }

  muster_offer_query query{};
  query.struct_size = MUSTER_OFFER_QUERY_SIZE;
  query.size = static_cast<uint32_t>(places.size());
  query.determinism = asked.determinism;
  query.group_name = "fake";
  query.bootstrap = asked.bootstrap.c_str();
  query.places = places.data();
  query.context = &context;
  query.fact = [](void* c, uint32_t rank, const char* key) {
    return find(static_cast<Context*>(c)->asked.facts.at(rank), key);
  };
  query.option = [](void* c, const char* key) {
    return find(static_cast<Context*>(c)->options, key);
  };
  query.add_rule = [](void* c, const muster_rule* rule) {
    static_cast<Context*>(c)->offer.rules.push_back(*rule);
  };
  query.decline = [](void* c, const char* reason) {
    static_cast<Context*>(c)->offer.declined.emplace_back(reason);
  };
  context.offer.outcome = take(backend.offer(instance, &query));
  return std::move(context.offer);
}

}  // namespace muster::testing
