#include "tests/kit/check/checked_plugin.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <initializer_list>
#include <list>
#include <mutex>

#include "muster/backend.h"
#include "muster/host_memory.h"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

// The function of the plugin that this thread is in; NULL: none.
thread_local const char* inside = nullptr;

struct {
  std::mutex mutex;
  std::string first;
} breaches;

void note(const std::string& text) {
  const std::lock_guard lock(breaches.mutex);
  if (breaches.first.empty()) breaches.first = text;
}

std::atomic<bool> set_up_fails{false};

const muster_entry* real_entry = nullptr;
muster_entry guarded_entry;
// Functions of groups do not say which runtime they are of; those of all are the same.
std::atomic<const muster_host*> any_host{nullptr};

// What the plugin gets as its host comes first, so that it is found again.
struct Instance {
  muster_host host;
  const muster_host* real;
  muster_instance* plugin;
  const muster_backend* backend;
  muster_backend table;
  std::atomic<int> busy{0};
};

// Tables are valid until the process ends, so none of these goes.
struct {
  std::mutex mutex;
  std::list<Instance> all;
} instances;

struct Group {
  const Instance* instance;
  muster_backend_group* plugin;
  std::atomic<int> busy;
};

Instance* instance_of(muster_instance* i) { return reinterpret_cast<Instance*>(i); }
Group* group_of(muster_backend_group* g) { return reinterpret_cast<Group*>(g); }
const muster_host* real(const muster_host* h) { return reinterpret_cast<const Instance*>(h)->real; }

// A call into the plugin: one at a time of those that share `busy`.
class Call {
 public:
  Call(std::atomic<int>* busy, const char* tag, const char* name) : busy_(busy), before_(inside) {
    inside = name;
    if (busy_ != nullptr && busy_->fetch_add(1) != 0) {
      note(fmt::format("the runtime called {} beside another {} function", name, tag));
    }
  }
  ~Call() {
    inside = before_;
    if (busy_ != nullptr) busy_->fetch_sub(1);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  std::atomic<int>* const busy_;
  const char* const before_;
};

struct SetupCall : Call {
  SetupCall(Instance* instance, const char* name) : Call(&instance->busy, "[setup-thread]", name) {}
};
struct SerialCall : Call {
  SerialCall(Group* group, const char* name) : Call(&group->busy, "[group-serial]", name) {}
};

bool is_one_of(const char* name, std::initializer_list<const char*> names) {
  for (const char* const one : names) {
    if (name != nullptr && std::strcmp(name, one) == 0) return true;
  }
  return false;
}

void check_collective(const char* function) {
  if (is_one_of(inside, {"group_connect", "memory_register", "capture_end"})) return;
  note(
      fmt::format("it called {} in {}; the places are group_connect, memory_register and "
                  "capture_end",
                  function, inside == nullptr ? "a thread of its own" : inside));
}

void check_serial(const char* function) {
  if (inside != nullptr) return;
  note(fmt::format("it called {}, which is [group-serial], in a thread of its own", function));
}

// ---- what the plugin calls ----

const muster_host_memory* host_memory_of(const muster_host* h) {
  return static_cast<const muster_host_memory*>(
      real(h)->get_interface(real(h), MUSTER_HOST_MEMORY_INTERFACE));
}

constexpr muster_host_memory kGuardedMemory = {
    MUSTER_HOST_MEMORY_SIZE, 0,
    [](const muster_host* h, const void* pointer, uint64_t bytes, int32_t* out_fd,
       uint64_t* out_offset) {
      return host_memory_of(h)->backing(real(h), pointer, bytes, out_fd, out_offset);
    }};

muster_host guarded_host(const muster_host& from) {
  muster_host host = from;
  host.status_make = [](const muster_host* h, muster_code code, const char* cause,
                        const char* remedy) {
    return real(h)->status_make(real(h), code, cause, remedy);
  };
  host.log = [](const muster_host* h, muster_log_level level, const char* line) {
    real(h)->log(real(h), level, line);
  };
  host.record = [](const muster_host* h, const char* subject, const char* verdict,
                   const char* reason) { real(h)->record(real(h), subject, verdict, reason); };
  host.option = [](const muster_host* h, const char* key) { return real(h)->option(real(h), key); };
  host.kernel = [](const muster_host* h, const muster_kernel_key* key) {
    return real(h)->kernel(real(h), key);
  };
  host.flush_pending = [](const muster_host* h, muster_memory memory) {
    return real(h)->flush_pending(real(h), memory);
  };
  // Of the runtime's interfaces those that are known here: their functions get a host, too.
  host.get_interface = [](const muster_host* h, const char* name) -> const void* {
    const bool memory = std::strcmp(name, MUSTER_HOST_MEMORY_INTERFACE) == 0;
    return memory && host_memory_of(h) != nullptr ? &kGuardedMemory : nullptr;
  };
  host.all_gather = [](muster_host_group* g, const void* data, uint64_t bytes, void* out) {
    check_collective("all_gather");
    return any_host.load()->all_gather(g, data, bytes, out);
  };
  host.broadcast = [](muster_host_group* g, uint32_t root, void* data, uint64_t bytes) {
    check_collective("broadcast");
    return any_host.load()->broadcast(g, root, data, bytes);
  };
  host.exchange_fds = [](muster_host_group* g, const int32_t* fds, uint32_t count, int32_t* out) {
    check_collective("exchange_fds");
    return any_host.load()->exchange_fds(g, fds, count, out);
  };
  host.scratch = [](muster_host_group* g, muster_memory memory, uint64_t bytes, void** out) {
    check_serial("scratch");
    return any_host.load()->scratch(g, memory, bytes, out);
  };
  host.deadline_ns = [](const muster_host_group* g) {
    check_serial("deadline_ns");
    return any_host.load()->deadline_ns(g);
  };
  return host;
}

// ---- what the runtime calls ----

muster_status* prepare(muster_instance* i, muster_host_group* host, muster_backend_group** out) {
  Instance* const instance = instance_of(i);
  const SetupCall call(instance, "group_prepare");
  muster_backend_group* const none = nullptr;
  muster_backend_group* made = none;
  muster_status* const status = instance->backend->group_prepare(instance->plugin, host, &made);
  if (status != nullptr) {
    if (made != none) note("group_prepare failed and made a group all the same");
    return status;
  }
  if (made == none) note("group_prepare succeeded and made no group");
  const muster_group_info* const info = instance->real->group_info(host);
  if (set_up_fails && info->rank + 1 == info->size) {
    instance->backend->group_destroy(made);
    return instance->real->status_make(instance->real, MUSTER_UNAVAILABLE,
                                       "the set-up fails on this rank, as the suite asks for",
                                       nullptr);
  }
  *out = reinterpret_cast<muster_backend_group*>(new Group{instance, made, 0});
  return nullptr;
}

void destroy(muster_backend_group* g) {
  if (g == nullptr) return;
  Group* const group = group_of(g);
  {
    const SetupCall call(const_cast<Instance*>(group->instance), "group_destroy");
    group->instance->backend->group_destroy(group->plugin);
  }
  delete group;
}

// A [group-serial] slot, with its name where a name is told.
#define MUSTER_SERIAL(slot, parameters, arguments)         \
  table.slot = [] parameters {                             \
    const SerialCall call(group_of(g), #slot);             \
    return group_of(g)->instance->backend->slot arguments; \
  }

muster_backend guarded_table(const muster_backend& from) {
  muster_backend table = from;
  table.probe = [](muster_instance* i, const muster_fact_sink* facts) {
    const SetupCall call(instance_of(i), "probe");
    return instance_of(i)->backend->probe(instance_of(i)->plugin, facts);
  };
  table.offer = [](muster_instance* i, const muster_offer_query* query) {
    const SetupCall call(instance_of(i), "offer");
    return instance_of(i)->backend->offer(instance_of(i)->plugin, query);
  };
  table.group_prepare = prepare;
  table.group_connect = [](muster_backend_group* g) {
    const SetupCall call(const_cast<Instance*>(group_of(g)->instance), "group_connect");
    return group_of(g)->instance->backend->group_connect(group_of(g)->plugin);
  };
  table.group_destroy = destroy;
  MUSTER_SERIAL(execute, (muster_backend_group * g, const muster_call* call_record),
                (group_of(g)->plugin, call_record));
  if (from.start != nullptr) {
    MUSTER_SERIAL(start,
                  (muster_backend_group * g, const muster_call* record, muster_request** out),
                  (group_of(g)->plugin, record, out));
    MUSTER_SERIAL(test, (muster_backend_group * g, muster_request * request, uint32_t * done),
                  (group_of(g)->plugin, request, done));
  }
  if (from.execute_batch != nullptr) {
    MUSTER_SERIAL(execute_batch,
                  (muster_backend_group * g, const muster_call* records, uint32_t count),
                  (group_of(g)->plugin, records, count));
  }
  if (from.memory_register != nullptr) {
    MUSTER_SERIAL(
        memory_register,
        (muster_backend_group * g, void* pointer, uint64_t bytes, muster_memory memory, void** out),
        (group_of(g)->plugin, pointer, bytes, memory, out));
    MUSTER_SERIAL(memory_deregister, (muster_backend_group * g, void* registration),
                  (group_of(g)->plugin, registration));
  }
  if (from.capture_begin != nullptr) {
    MUSTER_SERIAL(capture_begin, (muster_backend_group * g, muster_phase phase),
                  (group_of(g)->plugin, phase));
  }
  if (from.capture_end != nullptr) {
    MUSTER_SERIAL(capture_end, (muster_backend_group * g, uint32_t ok), (group_of(g)->plugin, ok));
  }
  if (from.async_error != nullptr) {
    table.async_error = [](muster_backend_group* g) {
      const Call call(nullptr, "", "async_error");
      return group_of(g)->instance->backend->async_error(group_of(g)->plugin);
    };
  }
  if (from.abort != nullptr) {
    table.abort = [](muster_backend_group* g) {
      const Call call(nullptr, "", "abort");
      group_of(g)->instance->backend->abort(group_of(g)->plugin);
    };
  }
  return table;
}
#undef MUSTER_SERIAL

muster_status* open(const muster_host* host, muster_instance** out) {
  any_host = host;
  Instance* instance = nullptr;
  {
    const std::lock_guard lock(instances.mutex);
    instance = &instances.all.emplace_back();
  }
  instance->host = guarded_host(*host);
  instance->real = host;
  muster_status* const status = real_entry->open(&instance->host, &instance->plugin);
  if (status != nullptr) return status;
  instance->backend = static_cast<const muster_backend*>(
      real_entry->get_interface(instance->plugin, MUSTER_BACKEND_INTERFACE));
  instance->table = guarded_table(*instance->backend);
  *out = reinterpret_cast<muster_instance*>(instance);
  return nullptr;
}

void close(muster_instance* i) {
  if (i != nullptr) real_entry->close(instance_of(i)->plugin);
}

const void* get_interface(muster_instance* i, const char* name) {
  return std::strcmp(name, MUSTER_BACKEND_INTERFACE) == 0 ? &instance_of(i)->table : nullptr;
}

}  // namespace

const muster_entry* guard_plugin(const muster_entry& plugin) {
  if (std::strcmp(plugin.interfaces, MUSTER_BACKEND_INTERFACE) != 0) {
    throw NotOffered("it is no backend alone, and cannot be guarded");
  }
  static std::once_flag once;  // ranks may be threads
  std::call_once(once, [&] {
    real_entry = &plugin;
    guarded_entry = plugin;
    guarded_entry.open = open;
    guarded_entry.close = close;
    guarded_entry.get_interface = get_interface;
  });
  return &guarded_entry;
}

void fail_set_up(bool fail) { set_up_fails = fail; }

std::string first_breach() {
  const std::lock_guard lock(breaches.mutex);
  return breaches.first;
}

}  // namespace muster::check
