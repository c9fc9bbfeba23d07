// C++17, header-only, for plugin authors: write a Backend and a Group class, get the tables of
// backend.h.
//
//   class MyGroup {                                  // one rank's part of one group
//    public:
//     explicit MyGroup(muster::plugin::Group group);
//     void connect();                                // collective
//     void execute(const muster_call& call);         // collective
//     // optional, offered when they exist: start, test, execute_batch, memory_register,
//     memory_deregister,
//     // capture_begin, capture_end, async_error, abort
//   };
//   class MyBackend {                                // one opened plugin
//    public:
//     static constexpr int32_t kPriority = 50;
//     static constexpr muster_option kOptions[] = {...};        // or omit
//     explicit MyBackend(muster::plugin::Host host);
//     void probe(muster::plugin::Facts facts);
//     void offer(muster::plugin::Query query);
//     std::unique_ptr<MyGroup> prepare(muster::plugin::Group group);
//   };
//   MUSTER_PLUGIN(MyBackend, MyGroup, "my", "1.0.0", "Example", "", "")
//
// Everything may throw: muster::plugin::fail(code, cause, remedy) for a failure with a code; any
// other exception becomes INTERNAL with its text. Nothing crosses the boundary but statuses. No
// virtual call stands between the runtime and execute.
#ifndef MUSTER_PLUGIN_HPP
#define MUSTER_PLUGIN_HPP

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "muster/backend.h"
#include "muster/entry.h"
#include "muster/host.h"

namespace muster::plugin {

// A failure with a code, on its way to the boundary.
class Failure : public std::exception {
 public:
  Failure(muster_code code, std::string cause, std::string remedy = {})
      : code_(code), cause_(std::move(cause)), remedy_(std::move(remedy)) {}
  muster_code code() const { return code_; }
  const std::string& cause() const { return cause_; }
  const std::string& remedy() const { return remedy_; }
  const char* what() const noexcept override { return cause_.c_str(); }

 private:
  muster_code code_;
  std::string cause_;
  std::string remedy_;
};

// A status of the runtime on its way back to it, untouched. Owned by the exception until it is
// caught at the boundary.
struct HostFailure {
  muster_status* status;
};

[[noreturn]] inline void fail(muster_code code, std::string cause, std::string remedy = {}) {
  throw Failure(code, std::move(cause), std::move(remedy));
}

// Throws what a host function returned, if it failed.
inline void check(muster_status* status) {
  if (status != nullptr) throw HostFailure{status};
}

// The runtime, as an instance sees it. Cheap to copy; valid while the instance lives.
class Host {
 public:
  explicit Host(const muster_host* host) : host_(host) {}
  const muster_host* get() const { return host_; }
  void log(muster_log_level level, const std::string& line) const {
    host_->log(host_, level, line.c_str());
  }
  void record(const std::string& subject, const std::string& verdict,
              const std::string& reason) const {
    host_->record(host_, subject.c_str(), verdict.c_str(), reason.c_str());
  }
  // "" when the option is not declared.
  std::string option(const char* key) const {
    const char* value = host_->option(host_, key);
    return value == nullptr ? std::string() : std::string(value);
  }
  uint64_t now_ns() const { return host_->now_ns(); }
  // A further interface of the runtime, nullptr when it lacks it.
  template <typename Table>
  const Table* interface(const char* name) const {
    return static_cast<const Table*>(host_->get_interface(host_, name));
  }
  // nullptr when there is none.
  template <typename Function>
  Function kernel(const char* family, muster_dtype dtype, muster_redop redop,
                  const char* algorithm = nullptr) const {
    muster_kernel_key key{};
    key.struct_size = MUSTER_KERNEL_KEY_SIZE;
    key.dtype = dtype;
    key.redop = redop;
    key.family = family;
    key.algorithm = algorithm;
    return reinterpret_cast<Function>(host_->kernel(host_, &key));
  }

 private:
  const muster_host* host_;
};

// The runtime's side of one group. Cheap to copy; valid from prepare to the end of the group's
// destructor.
class Group {
 public:
  Group(const muster_host* host, muster_host_group* group)
      : host_(host), group_(group), info_(host->group_info(group)) {}
  Host host() const { return Host(host_); }
  muster_host_group* get() const { return group_; }
  const muster_group_info& info() const { return *info_; }
  uint32_t rank() const { return info_->rank; }
  uint32_t size() const { return info_->size; }
  std::string option(const char* key) const {
    const char* value = host_->group_option(group_, key);
    return value == nullptr ? std::string() : std::string(value);
  }
  // The option as a number; it was checked against its declaration before.
  uint64_t integer_option(const char* key) const { return std::stoull(option(key)); }
  void all_gather(const void* data, uint64_t bytes, void* out) const {
    check(host_->all_gather(group_, data, bytes, out));
  }
  void broadcast(uint32_t root, void* data, uint64_t bytes) const {
    check(host_->broadcast(group_, root, data, bytes));
  }
  std::vector<int32_t> exchange_fds(const int32_t* fds, uint32_t count) const {
    std::vector<int32_t> out(static_cast<size_t>(size()) * count);
    check(host_->exchange_fds(group_, fds, count, out.data()));
    return out;
  }
  void* scratch(muster_memory memory, uint64_t bytes) const {
    void* out = nullptr;
    check(host_->scratch(group_, memory, bytes, &out));
    return out;
  }
  uint64_t deadline_ns() const { return host_->deadline_ns(group_); }
  bool peer_alive(uint32_t peer) const { return host_->peer_alive(group_, peer) != 0; }
  // Waits until word->value >= at_least; the first look is inline.
  void wait(muster_wait_word* word, uint64_t at_least, uint32_t peer) const {
    if (__atomic_load_n(&word->value, __ATOMIC_ACQUIRE) >= at_least) return;
    check(host_->wait(group_, word, at_least, peer));
  }
  // Stores word->value; the runtime is asked only to wake who sleeps.
  void signal(muster_wait_word* word, uint64_t value) const {
    __atomic_store_n(&word->value, value, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&word->waiters, __ATOMIC_SEQ_CST) != 0) host_->signal(word, value);
  }

 private:
  const muster_host* host_;
  muster_host_group* group_;
  const muster_group_info* info_;
};

// Where probe puts what it found.
class Facts {
 public:
  explicit Facts(const muster_fact_sink* sink) : sink_(sink) {}
  void put(const std::string& key, const std::string& value) const {
    sink_->put(sink_->context, key.c_str(), value.c_str());
  }

 private:
  const muster_fact_sink* sink_;
};

// A rule with its struct_size set and a name; fill in what it takes.
inline muster_rule rule(const char* name, uint64_t ops) {
  muster_rule rule{};
  rule.struct_size = MUSTER_RULE_SIZE;
  rule.ops = ops;
  std::strncpy(rule.name, name, sizeof(rule.name) - 1);
  return rule;
}

// What an offer is asked about.
class Query {
 public:
  explicit Query(const muster_offer_query* query) : query_(query) {}
  const muster_offer_query& get() const { return *query_; }
  uint32_t size() const { return query_->size; }
  std::string bootstrap() const { return query_->bootstrap; }
  const muster_rank_place& place(uint32_t rank) const { return query_->places[rank]; }
  // "" when the rank has no such fact.
  std::string fact(uint32_t rank, const char* key) const {
    const char* value = query_->fact(query_->context, rank, key);
    return value == nullptr ? std::string() : std::string(value);
  }
  std::string option(const char* key) const {
    const char* value = query_->option(query_->context, key);
    return value == nullptr ? std::string() : std::string(value);
  }
  void add(const muster_rule& rule) const { query_->add_rule(query_->context, &rule); }
  void decline(const std::string& reason) const {
    query_->decline(query_->context, reason.c_str());
  }
  bool one_node() const {
    for (uint32_t r = 1; r < query_->size; ++r) {
      if (query_->places[r].node != query_->places[0].node) return false;
    }
    return true;
  }

 private:
  const muster_offer_query* query_;
};

// Runs a body and turns whatever leaves it into a status: for tables that are filled in by hand
// (bootstrap.h, device.h, kernels.h).
template <typename Body>
muster_status* guard(const muster_host* host, Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const HostFailure& failure) {
    return failure.status;
  } catch (const Failure& failure) {
    return host->status_make(host, failure.code(), failure.what(),
                             failure.remedy().empty() ? nullptr : failure.remedy().c_str());
  } catch (const std::bad_alloc&) {
    return host->status_make(host, MUSTER_RESOURCE_EXHAUSTED, "out of memory", nullptr);
  } catch (const std::exception& error) {
    return host->status_make(host, MUSTER_INTERNAL, error.what(),
                             "report this to the plugin's vendor");
  } catch (...) {
    return host->status_make(host, MUSTER_INTERNAL, "an exception of an unknown type",
                             "report this to the plugin's vendor");
  }
}

namespace detail {

template <typename B>
struct Instance {
  explicit Instance(const muster_host* runtime) : host(runtime), backend(Host(runtime)) {}
  const muster_host* host;
  B backend;
};

template <typename G>
struct GroupState {
  const muster_host* host;
  std::unique_ptr<G> group;
};

#define MUSTER_DETAIL_HAS(name)           \
  template <typename T, typename = void>  \
  struct has_##name : std::false_type {}; \
  template <typename T>                   \
  struct has_##name<T, std::void_t<decltype(&T::name)>> : std::true_type {};
MUSTER_DETAIL_HAS(start)
MUSTER_DETAIL_HAS(execute_batch)
MUSTER_DETAIL_HAS(memory_register)
MUSTER_DETAIL_HAS(capture_begin)
MUSTER_DETAIL_HAS(capture_end)
MUSTER_DETAIL_HAS(async_error)
MUSTER_DETAIL_HAS(abort)
#undef MUSTER_DETAIL_HAS

template <typename B, typename = void>
struct Options {
  static constexpr uint32_t count = 0;
  static constexpr const muster_option* table = nullptr;
};
template <typename B>
struct Options<B, std::void_t<decltype(B::kOptions)>> {
  static constexpr uint32_t count = static_cast<uint32_t>(std::extent_v<decltype(B::kOptions)>);
  static constexpr const muster_option* table = B::kOptions;
};

// The functions behind the tables of one backend type B with group type G.
template <typename B, typename G>
struct Tables {
  static Instance<B>* instance_of(muster_instance* i) { return reinterpret_cast<Instance<B>*>(i); }
  static GroupState<G>* state_of(muster_backend_group* g) {
    return reinterpret_cast<GroupState<G>*>(g);
  }

  static muster_status* open(const muster_host* host, muster_instance** out) noexcept {
    return guard(host, [&] { *out = reinterpret_cast<muster_instance*>(new Instance<B>(host)); });
  }
  static void close(muster_instance* i) noexcept { delete instance_of(i); }

  static muster_status* probe(muster_instance* i, const muster_fact_sink* facts) noexcept {
    return guard(instance_of(i)->host, [&] { instance_of(i)->backend.probe(Facts(facts)); });
  }
  static muster_status* offer(muster_instance* i, const muster_offer_query* query) noexcept {
    return guard(instance_of(i)->host, [&] { instance_of(i)->backend.offer(Query(query)); });
  }
  static muster_status* prepare(muster_instance* i, muster_host_group* group,
                                muster_backend_group** out) noexcept {
    return guard(instance_of(i)->host, [&] {
      auto state = std::make_unique<GroupState<G>>();
      state->host = instance_of(i)->host;
      state->group = instance_of(i)->backend.prepare(Group(instance_of(i)->host, group));
      *out = reinterpret_cast<muster_backend_group*>(state.release());
    });
  }
  static muster_status* connect(muster_backend_group* g) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->connect(); });
  }
  static muster_status* execute(muster_backend_group* g, const muster_call* call) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->execute(*call); });
  }
  static muster_status* start(muster_backend_group* g, const muster_call* call,
                              muster_request** out) noexcept {
    return guard(state_of(g)->host, [&] { *out = state_of(g)->group->start(*call); });
  }
  static muster_status* test(muster_backend_group* g, muster_request* request,
                             uint32_t* done) noexcept {
    return guard(state_of(g)->host, [&] { *done = state_of(g)->group->test(request) ? 1 : 0; });
  }
  static muster_status* execute_batch(muster_backend_group* g, const muster_call* calls,
                                      uint32_t count) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->execute_batch(calls, count); });
  }
  static muster_status* memory_register(muster_backend_group* g, void* pointer, uint64_t bytes,
                                        muster_memory memory, void** out) noexcept {
    return guard(state_of(g)->host,
                 [&] { *out = state_of(g)->group->memory_register(pointer, bytes, memory); });
  }
  static void memory_deregister(muster_backend_group* g, void* registration) noexcept {
    state_of(g)->group->memory_deregister(registration);
  }
  static muster_status* capture_begin(muster_backend_group* g, muster_phase phase) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->capture_begin(phase); });
  }
  static muster_status* capture_end(muster_backend_group* g, uint32_t ok) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->capture_end(ok != 0); });
  }
  static muster_status* async_error(muster_backend_group* g) noexcept {
    return guard(state_of(g)->host, [&] { state_of(g)->group->async_error(); });
  }
  static void abort(muster_backend_group* g) noexcept { state_of(g)->group->abort(); }
  static void destroy(muster_backend_group* g) noexcept { delete state_of(g); }

  static constexpr muster_backend make_table() {
    muster_backend table{};
    table.struct_size = MUSTER_BACKEND_SIZE;
    table.priority = B::kPriority;
    table.option_count = Options<B>::count;
    table.options = Options<B>::table;
    table.probe = probe;
    table.offer = offer;
    table.group_prepare = prepare;
    table.group_connect = connect;
    table.execute = execute;
    table.group_destroy = destroy;
    if constexpr (has_start<G>::value) {
      table.start = start;
      table.test = test;
    }
    if constexpr (has_execute_batch<G>::value) table.execute_batch = execute_batch;
    if constexpr (has_memory_register<G>::value) {
      table.memory_register = memory_register;
      table.memory_deregister = memory_deregister;
    }
    if constexpr (has_capture_begin<G>::value) table.capture_begin = capture_begin;
    if constexpr (has_capture_end<G>::value) table.capture_end = capture_end;
    if constexpr (has_async_error<G>::value) table.async_error = async_error;
    if constexpr (has_abort<G>::value) table.abort = abort;
    return table;
  }
  static inline const muster_backend table = make_table();

  // A backend that gives further interfaces has a member: const void* interface(const char* name).
  template <typename T, typename = void>
  struct further {
    static const void* get(T&, const char*) { return nullptr; }
  };
  template <typename T>
  struct further<
      T, std::void_t<decltype(std::declval<T&>().interface(static_cast<const char*>(nullptr)))>> {
    static const void* get(T& backend, const char* name) { return backend.interface(name); }
  };
  static const void* get_interface(muster_instance* i, const char* name) noexcept {
    if (std::strcmp(name, MUSTER_BACKEND_INTERFACE) == 0) return &table;
    return further<B>::get(instance_of(i)->backend, name);
  }
};

}  // namespace detail

// An option's declaration.
constexpr muster_option option(const char* name, muster_option_type type, const char* default_value,
                               const char* help, int64_t minimum = 0, int64_t maximum = INT64_MAX) {
  return muster_option{MUSTER_OPTION_SIZE, type, name, default_value, help, minimum, maximum};
}

}  // namespace muster::plugin

// The entry record of a backend plugin, under another name than the exported one (for plugins
// linked into a program or test).
#define MUSTER_PLUGIN_RECORD(variable, Backend, Group, id, version, vendor, interfaces, probe_env, \
                             probe_files)                                                          \
  extern const muster_entry variable;                                                              \
  const muster_entry variable = {MUSTER_PLUGIN_HEAD,                                               \
                                 id,                                                               \
                                 version,                                                          \
                                 vendor,                                                           \
                                 MUSTER_BUILD_TAG,                                                 \
                                 interfaces,                                                       \
                                 probe_env,                                                        \
                                 probe_files,                                                      \
                                 ::muster::plugin::detail::Tables<Backend, Group>::open,           \
                                 ::muster::plugin::detail::Tables<Backend, Group>::close,          \
                                 ::muster::plugin::detail::Tables<Backend, Group>::get_interface}

// The exported entry of a plugin that gives a backend only.
#define MUSTER_PLUGIN(Backend, Group, id, version, vendor, probe_env, probe_files) \
  extern "C" {                                                                     \
  extern MUSTER_PLUGIN_EXPORT const muster_entry muster_plugin_entry;              \
  }                                                                                \
  MUSTER_PLUGIN_RECORD(muster_plugin_entry, Backend, Group, id, version, vendor,   \
                       MUSTER_BACKEND_INTERFACE, probe_env, probe_files)

#endif
