// What one plugin gets from one runtime: the muster_host table and what stands behind it.
//
// Lives from before open to after close of the instance. Thread rule: as host.h says per function.
#ifndef MUSTER_CORE_QUERY_PLUGIN_HOST_HPP
#define MUSTER_CORE_QUERY_PLUGIN_HOST_HPP

#include <map>
#include <mutex>
#include <string>

#include "core/base/records.hpp"
#include "core/kernels/variant_build.hpp"
#include "muster/host.h"
#include "muster/muster.h"

namespace muster {

// The program's function that issues lazily held work (muster_set_flush).
struct FlushHook {
  std::mutex mutex;
  muster_flush function = nullptr;
  void* context = nullptr;
};

class KernelTable;

class PluginHost : public muster_host {
 public:
  // kernels: NULL for the built-in ones only.
  PluginHost(std::string id, Records* records, FlushHook* flush,
             const KernelTable* kernels = nullptr);
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  // Of a table that this made.
  static const PluginHost& of(const muster_host* host) {
    return *static_cast<const PluginHost*>(host);
  }
  const std::string& id() const { return id_; }
  const KernelTable* kernels() const { return kernels_; }
  // What the plugin itself builds; without a table when it builds nothing.
  const VariantBuilder& variants() const { return variants_; }
  void set_variants(const VariantBuilder& variants) { variants_ = variants; }
  // The values that option() gives: declared defaults overlaid with the configuration's. Set once,
  // before probe.
  void set_options(std::map<std::string, std::string> options) { options_ = std::move(options); }

 private:
  std::string id_;
  Records* records_;
  FlushHook* flush_;
  const KernelTable* kernels_;
  VariantBuilder variants_;
  std::map<std::string, std::string> options_;
};

}  // namespace muster

#endif
