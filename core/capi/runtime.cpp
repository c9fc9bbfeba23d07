// muster.h: worlds and runtimes.
#include "core/agree/runtime.hpp"

#include <fmt/format.h>

#include "core/base/log.hpp"
#include "core/bootstrap/threads.hpp"
#include "core/capi/boundary.hpp"
#include "core/capi/record.hpp"
#include "core/dispatch/group.hpp"
#include "core/explain/describe.hpp"
#include "muster/muster.h"

using muster::at_boundary;
using muster::null_argument;
using muster::Status;

muster_status* muster_threads_create(uint32_t size, muster_threads** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_threads_create", "out");
    muster::Result<muster_threads*> threads = muster::threads_create(size);
    if (!threads.ok()) return threads.take_status();
    *out = *threads;
    return Status();
  });
}

void muster_threads_release(muster_threads* threads) { muster::threads_destroy(threads); }

muster_status* muster_init(const muster_runtime_options* options, muster_runtime** out) {
  return at_boundary([&]() -> Status {
    if (out == nullptr) return null_argument("muster_init", "out");
    muster_runtime_options filled{};
    filled.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
    if (options != nullptr) {
      MUSTER_TRY(muster::read_record("muster_init: options", "MUSTER_RUNTIME_OPTIONS_SIZE",
                                     MUSTER_STRUCT_SIZE(muster_runtime_options, builtin_count),
                                     options, &filled, sizeof(filled)));
    }
    if (filled.builtin_count != 0 && filled.builtin == nullptr)
      return null_argument("muster_init", "options.builtin");
    for (uint32_t i = 0; i < filled.builtin_count; ++i) {
      if (filled.builtin[i] == nullptr)
        return null_argument("muster_init", "an entry of options.builtin");
    }
    if (filled.threads != nullptr && filled.thread_rank >= muster::threads_size(filled.threads)) {
      return Status(MUSTER_INVALID_ARGUMENT,
                    fmt::format("muster_init: thread_rank {} is outside the world of {} threads",
                                filled.thread_rank, muster::threads_size(filled.threads)),
                    "give each thread its own rank, from 0");
    }
    auto runtime = muster::start_runtime(filled);
    if (!runtime.ok()) return runtime.take_status();
    *out = (*runtime).release();
    return Status();
  });
}

void muster_finalize(muster_runtime* runtime) {
  if (runtime == nullptr) return;
  for (muster_group* group : runtime->groups) {
    muster::log_warn(fmt::format("group {} was not destroyed before muster_finalize", group->name));
    delete group;
  }
  delete runtime;
}

uint32_t muster_rank(const muster_runtime* runtime) {
  return runtime == nullptr ? 0 : runtime->world->rank();
}
uint32_t muster_size(const muster_runtime* runtime) {
  return runtime == nullptr ? 0 : runtime->world->size();
}
const char* muster_bootstrap_name(const muster_runtime* runtime) {
  return runtime == nullptr ? "" : runtime->world->name().c_str();
}

muster_status* muster_set_flush(muster_runtime* runtime, muster_flush flush, void* context) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_set_flush", "runtime");
    const std::lock_guard<std::mutex> lock(runtime->flush.mutex);
    runtime->flush.function = flush;
    runtime->flush.context = context;
    return Status();
  });
}

muster_status* muster_runtime_describe(const muster_runtime* runtime, char** out_json) {
  return at_boundary([&]() -> Status {
    if (runtime == nullptr) return null_argument("muster_runtime_describe", "runtime");
    if (out_json == nullptr) return null_argument("muster_runtime_describe", "out_json");
    *out_json = muster::copy_text(muster::describe_plugins_json(
        runtime->found, runtime->records.all(), false, runtime->kernels.in_use()));
    return Status();
  });
}
