#include "tests/kit/check/checked_host.hpp"

#include <atomic>
#include <cstring>

#include "muster/host_memory.h"
#include "tests/kit/check/tag_lines.hpp"

namespace muster::check {
namespace {

// Functions of groups do not say which runtime they are of; those of all are the same.
std::atomic<const muster_host*> any_host{nullptr};

const muster_host* real(const muster_host* h) {
  return reinterpret_cast<const CheckedHost*>(h)->real;
}

const muster_host_memory* host_memory_of(const muster_host* h) {
  return static_cast<const muster_host_memory*>(
      real(h)->get_interface(real(h), MUSTER_HOST_MEMORY_INTERFACE));
}

constexpr muster_host_memory kCheckedMemory = {
    MUSTER_HOST_MEMORY_SIZE, 0,
    [](const muster_host* h, const void* pointer, uint64_t bytes, int32_t* out_fd,
       uint64_t* out_offset) {
      return host_memory_of(h)->backing(real(h), pointer, bytes, out_fd, out_offset);
    }};

// [any-thread] [local] [no-block] without a host or a group: nothing can be breached in
// status_code, status_cause, status_release, now_ns and signal.
void pass_on_instance(muster_host& host) {
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
    check_host_call("flush_pending", Reach::kWaits);
    return real(h)->flush_pending(real(h), memory);
  };
  // Of the runtime's interfaces those that are known here: their functions get a host, too.
  host.get_interface = [](const muster_host* h, const char* name) -> const void* {
    const bool memory = std::strcmp(name, MUSTER_HOST_MEMORY_INTERFACE) == 0;
    return memory && host_memory_of(h) != nullptr ? &kCheckedMemory : nullptr;
  };
}

// group_info, group_option and peer_alive are [any-thread] [local] [no-block], too.
void pass_on_group(muster_host& host) {
  host.all_gather = [](muster_host_group* g, const void* data, uint64_t bytes, void* out) {
    check_host_call("all_gather", Reach::kCollective);
    return any_host.load()->all_gather(g, data, bytes, out);
  };
  host.broadcast = [](muster_host_group* g, uint32_t root, void* data, uint64_t bytes) {
    check_host_call("broadcast", Reach::kCollective);
    return any_host.load()->broadcast(g, root, data, bytes);
  };
  host.exchange_fds = [](muster_host_group* g, const int32_t* fds, uint32_t count, int32_t* out) {
    check_host_call("exchange_fds", Reach::kCollective);
    return any_host.load()->exchange_fds(g, fds, count, out);
  };
  host.scratch = [](muster_host_group* g, muster_memory memory, uint64_t bytes, void** out) {
    check_host_call("scratch", Reach::kSerial);
    return any_host.load()->scratch(g, memory, bytes, out);
  };
  host.deadline_ns = [](const muster_host_group* g) {
    check_host_call("deadline_ns", Reach::kSerial);
    return any_host.load()->deadline_ns(g);
  };
  host.wait = [](muster_host_group* g, muster_wait_word* word, uint64_t at_least, uint32_t peer) {
    const muster_host* const host = any_host.load();
    if (check_host_call("wait", Reach::kWaitsForAnother)) {
      return host->wait(g, word, at_least, peer);
    }
    return host->status_make(host, MUSTER_FAILED_PRECONDITION, "the suite lets nobody wait here",
                             nullptr);
  };
}

const muster_offer_query& real_query(void* context) {
  return *static_cast<const CheckedQuery*>(context)->real;
}

}  // namespace

CheckedHost::CheckedHost(const muster_host* host) : table(*host), real(host) {
  any_host = host;
  pass_on_instance(table);
  pass_on_group(table);
}

CheckedSink::CheckedSink(const muster_fact_sink* sink) : table(*sink), real(sink) {
  table.context = this;
  table.put = [](void* context, const char* key, const char* value) {
    check_inside("put", "probe");
    const muster_fact_sink& sink = *static_cast<const CheckedSink*>(context)->real;
    sink.put(sink.context, key, value);
  };
}

CheckedQuery::CheckedQuery(const muster_offer_query* query) : table(*query), real(query) {
  table.context = this;
  table.fact = [](void* context, uint32_t rank, const char* key) {
    check_inside("fact", "offer");
    return real_query(context).fact(real_query(context).context, rank, key);
  };
  table.option = [](void* context, const char* key) {
    check_inside("option of the query", "offer");
    return real_query(context).option(real_query(context).context, key);
  };
  table.add_rule = [](void* context, const muster_rule* rule) {
    check_inside("add_rule", "offer");
    real_query(context).add_rule(real_query(context).context, rule);
  };
  table.decline = [](void* context, const char* reason) {
    check_inside("decline", "offer");
    real_query(context).decline(real_query(context).context, reason);
  };
}

}  // namespace muster::check
