#include "core/query/plugin_host.hpp"

#include <cstring>

#include "core/base/log.hpp"
#include "core/base/private_directory.hpp"
#include "core/base/status.hpp"
#include "core/base/wait.hpp"
#include "core/kernels/registry.hpp"
#include "core/query/host_group.hpp"
#include "core/query/host_memory.hpp"
#include "core/query/kernel_table.hpp"

namespace muster {

PluginHost::PluginHost(std::string id, Records* records, FlushHook* flush,
                       const KernelTable* kernels)
    : muster_host{}, id_(std::move(id)), records_(records), flush_(flush), kernels_(kernels) {
  struct_size = MUSTER_HOST_SIZE;
  abi_minor = MUSTER_ABI_MINOR;
  status_make = [](const muster_host* host, muster_code code, const char* cause,
                   const char* remedy) {
    return Status(code, of(host).id_ + ": " + (cause == nullptr ? "" : cause),
                  remedy == nullptr ? "" : remedy)
        .release();
  };
  status_code = [](const muster_status* status) {
    return status == nullptr ? muster_code{MUSTER_OK} : status->code;
  };
  status_cause = [](const muster_status* status) {
    return status == nullptr ? "" : status->cause.c_str();
  };
  status_release = [](muster_status* status) { Status::destroy(status); };
  log = [](const muster_host* host, muster_log_level level, const char* line) {
    log_line(level, of(host).id_ + ": " + line);
  };
  record = [](const muster_host* host, const char* subject, const char* verdict,
              const char* reason) {
    of(host).records_->add(
        {Stage::kQuery, of(host).id_ + " " + subject, verdict, reason, "plugin"});
  };
  option = [](const muster_host* host, const char* key) -> const char* {
    const auto& options = of(host).options_;
    const auto found = options.find(key);
    return found == options.end() ? nullptr : found->second.c_str();
  };
  now_ns = [] { return muster::now_ns(); };
  kernel = [](const muster_host* host, const muster_kernel_key* key) {
    const KernelTable* const kernels = of(host).kernels_;
    return kernels == nullptr ? find_kernel(*key) : kernels->find(*key);
  };
  flush_pending = [](const muster_host* host, muster_memory memory) -> muster_status* {
    FlushHook* const hook = of(host).flush_;
    if (hook == nullptr) return nullptr;
    const std::lock_guard<std::mutex> lock(hook->mutex);
    if (hook->function != nullptr) hook->function(hook->context, memory);
    return nullptr;
  };
  get_interface = [](const muster_host* host, const char* name) -> const void* {
    if (std::strcmp(name, MUSTER_HOST_MEMORY_INTERFACE) == 0) return host_memory_interface();
    const bool images = of(host).kernels_ != nullptr;
    return images && std::strcmp(name, MUSTER_IMAGES_INTERFACE) == 0 ? images_interface() : nullptr;
  };
  fill_group_functions(*this);
}

}  // namespace muster
