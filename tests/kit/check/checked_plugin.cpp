#include "tests/kit/check/checked_plugin.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <list>
#include <mutex>
#include <thread>

#include "tests/kit/check/checked_host.hpp"
#include "tests/kit/check/tag_lines.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

std::atomic<bool> set_up_fails{false};

// Rank 0 goes first, see one_by_one.
struct {
  std::mutex mutex;
  std::string directory;
  uint64_t limit_ms = 0;
} turns;

// Around a local slot: the ranks after 0 stay away until it has come back.
class Turn {
 public:
  Turn(uint32_t rank, const char* slot) : rank_(rank) {
    const std::lock_guard lock(turns.mutex);
    if (turns.directory.empty()) return;
    file_ = turns.directory + "/" + slot;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(turns.limit_ms);
    while (rank_ != 0 && !std::filesystem::exists(file_)) {
      if (std::chrono::steady_clock::now() > until) {
        note(std::string(slot) + " of rank 0 did not return while the other ranks stayed away");
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  ~Turn() {
    if (rank_ == 0 && !file_.empty()) std::ofstream(file_) << '\n';
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  const uint32_t rank_;
  std::string file_;
};

const muster_entry* real_entry = nullptr;
muster_entry guarded_entry;

// What the plugin gets as its host comes first, so that it is found again.
struct Instance {
  explicit Instance(const muster_host* real) : host(real) {}
  CheckedHost host;
  muster_instance* plugin = nullptr;
  const muster_backend* backend = nullptr;
  muster_backend table{};
  std::atomic<int> busy{0};
};

// Tables are valid until the process ends, so none of these goes.
struct {
  std::mutex mutex;
  std::list<Instance> all;
} instances;

struct Group {
  Instance* instance;
  muster_backend_group* plugin;
  uint32_t rank;
  std::atomic<int> busy;
};

// The group that this thread connected last; NULL once it is gone.
thread_local Group* connected = nullptr;

Instance* instance_of(muster_instance* i) { return reinterpret_cast<Instance*>(i); }
Group* group_of(muster_backend_group* g) { return reinterpret_cast<Group*>(g); }

namespace slots {  // as the tag lines of backend.h say

using enum ThreadClass;
using enum Waits;
constexpr Slot probe = {"probe", kSetup, kForDevices};
constexpr Slot offer = {"offer", kSetup, kNever};
constexpr Slot group_prepare = {"group_prepare", kSetup, kForDevices};
constexpr Slot group_connect = {"group_connect", kSetup, kForRanks, true};
constexpr Slot execute = {"execute", kSerial, kForRanks};
constexpr Slot start = {"start", kSerial, kNever};
constexpr Slot test = {"test", kSerial, kNever};
constexpr Slot execute_batch = {"execute_batch", kSerial, kForRanks};
constexpr Slot memory_register = {"memory_register", kSerial, kForRanks, true};
constexpr Slot memory_deregister = {"memory_deregister", kSerial, kForRanks};
constexpr Slot capture_begin = {"capture_begin", kSerial, kNever};
constexpr Slot capture_end = {"capture_end", kSerial, kForRanks, true};
constexpr Slot async_error = {"async_error", kAny, kNever};
constexpr Slot abort = {"abort", kAny, kNever};
constexpr Slot group_destroy = {"group_destroy", kSetup, kForDevices};

}  // namespace slots

// ---- what the runtime calls ----

muster_status* prepare(muster_instance* i, muster_host_group* host, muster_backend_group** out) {
  Instance* const instance = instance_of(i);
  const Inside call(&instance->busy, slots::group_prepare);
  muster_backend_group* const none = nullptr;
  muster_backend_group* made = none;
  const muster_host* const real = instance->host.real;
  const muster_group_info* const info = real->group_info(host);
  muster_status* status = nullptr;
  {
    const Turn turn(info->rank, "group_prepare");
    status = instance->backend->group_prepare(instance->plugin, host, &made);
  }
  if (status != nullptr) {
    if (made != none) note("group_prepare failed and made a group all the same");
    return status;
  }
  if (made == none) note("group_prepare succeeded and made no group");
  if (set_up_fails && info->rank + 1 == info->size) {
    instance->backend->group_destroy(made);
    return real->status_make(real, MUSTER_UNAVAILABLE,
                             "the set-up fails on this rank, as the suite asks for", nullptr);
  }
  *out = reinterpret_cast<muster_backend_group*>(new Group{instance, made, info->rank, 0});
  return nullptr;
}

void destroy(muster_backend_group* g) {
  if (g == nullptr) return;
  Group* const group = group_of(g);
  {
    const Inside call(&group->instance->busy, slots::group_destroy);
    const Turn turn(group->rank, "group_destroy");
    group->instance->backend->group_destroy(group->plugin);
  }
  if (connected == group) connected = nullptr;
  delete group;
}

muster_status* connect(muster_backend_group* g) {
  Group* const group = group_of(g);
  const Inside call(&group->instance->busy, slots::group_connect);
  muster_status* const status = group->instance->backend->group_connect(group->plugin);
  if (status == nullptr) connected = group;
  return status;
}

// A [group-serial] slot, with its name where a name is told.
#define MUSTER_SERIAL(slot, parameters, arguments)         \
  table.slot = [] parameters {                             \
    const Inside call(&group_of(g)->busy, slots::slot);    \
    return group_of(g)->instance->backend->slot arguments; \
  }

muster_backend guarded_table(const muster_backend& from) {
  muster_backend table = from;
  table.probe = [](muster_instance* i, const muster_fact_sink* facts) {
    const Inside call(&instance_of(i)->busy, slots::probe);
    const CheckedSink checked(facts);
    return instance_of(i)->backend->probe(instance_of(i)->plugin, &checked.table);
  };
  table.offer = [](muster_instance* i, const muster_offer_query* query) {
    const Inside call(&instance_of(i)->busy, slots::offer);
    const CheckedQuery checked(query);
    return instance_of(i)->backend->offer(instance_of(i)->plugin, &checked.table);
  };
  table.group_prepare = prepare;
  table.group_connect = connect;
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
      const Inside call(nullptr, slots::async_error);
      return group_of(g)->instance->backend->async_error(group_of(g)->plugin);
    };
  }
  if (from.abort != nullptr) {
    table.abort = [](muster_backend_group* g) {
      const Inside call(nullptr, slots::abort);
      group_of(g)->instance->backend->abort(group_of(g)->plugin);
    };
  }
  return table;
}
#undef MUSTER_SERIAL

muster_status* open(const muster_host* host, muster_instance** out) {
  Instance* instance = nullptr;
  {
    const std::lock_guard lock(instances.mutex);
    instance = &instances.all.emplace_back(host);
  }
  muster_status* const status = real_entry->open(&instance->host.table, &instance->plugin);
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

void one_by_one(const std::string& directory, uint64_t limit_ms) {
  const std::lock_guard lock(turns.mutex);
  turns.directory = directory;
  turns.limit_ms = limit_ms;
}

ConnectedGroup connected_group() {
  if (connected == nullptr) throw Failed("no group was connected by this thread");
  return {connected->instance->backend, connected->plugin};
}

}  // namespace muster::check
