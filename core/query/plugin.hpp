// One opened plugin in one runtime: its instance, its interfaces, its options, the facts it found.
//
// Lives as long as the runtime; close() of the instance runs in the destructor. [setup-thread]
// except the accessors.
#ifndef MUSTER_CORE_QUERY_PLUGIN_HPP
#define MUSTER_CORE_QUERY_PLUGIN_HPP

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/base/status.hpp"
#include "core/discover/discovery.hpp"
#include "core/discover/facts.hpp"
#include "core/query/plugin_host.hpp"
#include "muster/backend.h"
#include "muster/bootstrap.h"
#include "muster/device.h"
#include "muster/entry.h"
#include "muster/kernels.h"

namespace muster {

class Plugin {
 public:
  // Opens a usable plugin, checks its tables and its configured options. Does not probe. `kernels`
  // is what its host answers from; without it there are the built-in ones.
  static Result<std::unique_ptr<Plugin>> open(const FoundPlugin& found, const Config& config,
                                              Records& records, FlushHook* flush,
                                              const KernelTable* kernels = nullptr);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  const std::string& id() const { return found_.entry.id; }
  const std::string& version() const { return found_.entry.version; }
  const FoundPlugin& found() const { return found_; }
  muster_instance* instance() const { return instance_; }
  const PluginHost& host() const { return host_; }
  // NULL when the plugin does not give the interface.
  const muster_backend* backend() const { return backend_; }
  const muster_bootstrap* bootstrap() const { return bootstrap_; }
  const muster_device* device() const { return device_; }
  const muster_kernels* kernels() const { return kernels_; }
  // Its table is NULL likewise.
  const VariantBuilder& variants() const { return host_.variants(); }

  // Runs the backend's probe; the facts stay.
  Status probe();
  const FactMap& facts() const { return facts_; }
  // Declared defaults overlaid with the configuration for one group ("": the runtime as a whole).
  std::map<std::string, std::string> options_for(const Config& config,
                                                 const std::string& group) const;

 private:
  Plugin(FoundPlugin found, Records* records, FlushHook* flush, const KernelTable* kernels);
  Status check_backend() const;
  Status check_bootstrap() const;
  Status check_device() const;
  Status check_kernels() const;
  static Status check_variants(const std::string& id, const muster_variants& table);
  Status check_options(const Config& config) const;

  FoundPlugin found_;
  PluginHost host_;
  const muster_entry* entry_ = nullptr;
  muster_instance* instance_ = nullptr;
  const muster_backend* backend_ = nullptr;
  const muster_bootstrap* bootstrap_ = nullptr;
  const muster_device* device_ = nullptr;
  const muster_kernels* kernels_ = nullptr;
  FactMap facts_;
};

// Checks a value against an option's declaration; the cause names plugin, option and what it must
// be.
Status check_option_value(const std::string& plugin, const muster_option& option,
                          const std::string& value);

}  // namespace muster

#endif
