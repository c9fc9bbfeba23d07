#include "core/discover/probe_host.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <exception>
#include <string>

#include "core/base/status.hpp"
#include "core/discover/facts.hpp"
#include "core/discover/loader.hpp"
#include "core/kernels/exam.hpp"
#include "muster/backend.h"

namespace muster {
namespace {

// The host comes first: a muster_host* is a ProbeHost*.
struct ProbeHost {
  muster_host table{};
  const muster_backend* backend = nullptr;
  std::string last_record;  // the reason in it
};

muster_status* make_status(muster_code code, const char* cause, const char* remedy) {
  return Status(code, cause == nullptr ? "" : cause, remedy == nullptr ? "" : remedy).release();
}

muster_status* no_group() {
  return make_status(MUSTER_FAILED_PRECONDITION, "there is no group while a plugin is probed",
                     nullptr);
}

const char* option_default(const muster_host* host, const char* key) {
  const muster_backend* backend = reinterpret_cast<const ProbeHost*>(host)->backend;
  if (backend == nullptr || key == nullptr) return nullptr;
  for (uint32_t i = 0; i < backend->option_count; ++i) {
    const muster_option& option = MUSTER_AT(muster_option, backend->options, i);
    if (std::strcmp(option.name, key) == 0) return option.default_value;
  }
  return nullptr;
}

uint64_t clock_ns() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

muster_host minimal_host() {
  muster_host host{};
  host.struct_size = MUSTER_HOST_SIZE;
  host.abi_minor = MUSTER_ABI_MINOR;
  host.status_make = [](const muster_host*, muster_code code, const char* cause,
                        const char* remedy) { return make_status(code, cause, remedy); };
  host.status_code = [](const muster_status* status) {
    return status == nullptr ? muster_code{MUSTER_OK} : status->code;
  };
  host.status_cause = [](const muster_status* status) {
    return status == nullptr ? "" : status->cause.c_str();
  };
  host.status_release = [](muster_status* status) { Status::destroy(status); };
  host.log = [](const muster_host*, muster_log_level, const char*) {};
  host.record = [](const muster_host* self, const char*, const char*, const char* reason) {
    reinterpret_cast<ProbeHost*>(const_cast<muster_host*>(self))->last_record =
        reason == nullptr ? "" : reason;
  };
  host.option = option_default;
  host.now_ns = clock_ns;
  host.kernel = [](const muster_host*, const muster_kernel_key*) -> muster_kernel_function {
    return nullptr;
  };
  host.flush_pending = [](const muster_host*, muster_memory) -> muster_status* { return nullptr; };
  host.get_interface = [](const muster_host*, const char*) -> const void* { return nullptr; };
  host.group_info = [](const muster_host_group*) -> const muster_group_info* { return nullptr; };
  host.group_option = [](const muster_host_group*, const char*) -> const char* { return nullptr; };
  host.all_gather = [](muster_host_group*, const void*, uint64_t, void*) { return no_group(); };
  host.broadcast = [](muster_host_group*, uint32_t, void*, uint64_t) { return no_group(); };
  host.exchange_fds = [](muster_host_group*, const int32_t*, uint32_t, int32_t*) {
    return no_group();
  };
  host.scratch = [](muster_host_group*, muster_memory, uint64_t, void**) { return no_group(); };
  host.deadline_ns = [](const muster_host_group*) { return clock_ns(); };
  host.wait = [](muster_host_group*, muster_wait_word*, uint64_t, uint32_t) { return no_group(); };
  host.signal = [](muster_wait_word* word, uint64_t value) {
    __atomic_store_n(&word->value, value, __ATOMIC_RELEASE);
  };
  host.peer_alive = [](muster_host_group*, uint32_t) { return 0u; };
  return host;
}

ProbeReport failed(ProbeVerdict verdict, std::string reason) {
  return {verdict, std::move(reason), false, {}};
}

// An instance of the plugin, closed in any case.
struct Instance {
  const muster_entry& entry;
  ProbeProgress progress;
  muster_instance* instance = nullptr;
  ~Instance() {
    progress(ProbeStep::kClose);
    try {
      entry.close(instance);
    } catch (...) {  // NOLINT: nothing more can be done with a plugin that throws here
    }
  }
};

ProbeReport probe_backend(ProbeHost& host, const muster_entry& entry, muster_instance* instance) {
  const auto* backend =
      static_cast<const muster_backend*>(entry.get_interface(instance, MUSTER_BACKEND_INTERFACE));
  if (backend == nullptr) {
    return failed(ProbeVerdict::kBroken,
                  fmt::format("it declares {} but gives no such table", MUSTER_BACKEND_INTERFACE));
  }
  if (!MUSTER_HAS_FIELD(backend, muster_backend, probe) || backend->probe == nullptr) {
    return failed(ProbeVerdict::kBroken, "its backend has no probe");
  }
  host.backend = backend;
  ReportedFacts facts;
  const muster_fact_sink sink = facts.sink();
  const Status status(backend->probe(instance, &sink));
  if (!status.ok()) {
    std::string reason = status.cause();
    if (!status.remedy().empty()) reason += "; " + status.remedy();
    return failed(ProbeVerdict::kUnavailable, std::move(reason));
  }
  if (!facts.fault().empty()) return failed(ProbeVerdict::kBroken, facts.fault());
  return {ProbeVerdict::kUsable, {}, false, facts.take(), {}};
}

ProbeReport run_steps(const muster_entry& entry, const EntryRecord& record,
                      ProbeProgress progress) {
  ProbeHost host{minimal_host(), nullptr, {}};
  progress(ProbeStep::kOpen);
  muster_instance* opened = nullptr;
  const Status status(entry.open(&host.table, &opened));
  if (!status.ok()) {
    return failed(ProbeVerdict::kUnavailable,
                  fmt::format("it could not be started: {}", status.cause()));
  }
  const Instance instance{entry, progress, opened};
  progress(ProbeStep::kProbe);
  ProbeReport report{ProbeVerdict::kUsable, {}, false, {}, {}};
  if (record.gives(MUSTER_BACKEND_INTERFACE)) report = probe_backend(host, entry, opened);
  if (report.verdict == ProbeVerdict::kUsable && record.gives(MUSTER_KERNELS_INTERFACE)) {
    const auto* const kernels =
        static_cast<const muster_kernels*>(entry.get_interface(opened, MUSTER_KERNELS_INTERFACE));
    if (kernels == nullptr || !MUSTER_HAS_FIELD(kernels, muster_kernels, variant) ||
        kernels->variant_count == nullptr || kernels->variant == nullptr) {
      return failed(ProbeVerdict::kBroken, fmt::format("it declares {} but gives no such table",
                                                       MUSTER_KERNELS_INTERFACE));
    }
    report.kernels = examine_pack(*kernels, opened);
    if (report.kernels->ready.empty()) report.kernels->note = host.last_record;
  }
  return report;
}

}  // namespace

const char* probe_step_name(ProbeStep step) {
  switch (step) {
    case ProbeStep::kStart:
      return "start";
    case ProbeStep::kLoad:
      return "load";
    case ProbeStep::kOpen:
      return "open";
    case ProbeStep::kProbe:
      return "probe";
    case ProbeStep::kClose:
      return "close";
  }
  return "unknown";
}

ProbeReport probe_entry(const muster_entry& entry, const EntryRecord& record,
                        ProbeProgress progress) {
  try {
    return run_steps(entry, record, progress);
  } catch (const std::exception& error) {
    return failed(ProbeVerdict::kBroken,
                  fmt::format("an exception crossed the boundary: {}", error.what()));
  } catch (...) {
    return failed(ProbeVerdict::kBroken, "an exception crossed the boundary");
  }
}

ProbeReport open_and_probe(const FoundPlugin& plugin, ProbeProgress progress) {
  progress(ProbeStep::kLoad);
  Result<const muster_entry*> entry = open_plugin(plugin);
  if (!entry.ok()) {
    const bool broken = entry.status().code() == MUSTER_MISMATCH;
    return {broken ? ProbeVerdict::kBroken : ProbeVerdict::kLoadFailed,
            entry.status().cause(),
            true,
            {},
            {}};
  }
  return probe_entry(**entry, plugin.entry, progress);
}

}  // namespace muster
