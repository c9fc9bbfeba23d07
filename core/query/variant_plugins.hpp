// The plugins that declare variants of device kernels (muster.variants/1), opened to list and build
// them: what `muster precompile` and background builds work through.
//
// For processes without threads; a plugin is asked for its devices in a child, so that this process
// never initialises a driver and can go on forking; unless it has, by probing in process.
#ifndef MUSTER_CORE_QUERY_VARIANT_PLUGINS_HPP
#define MUSTER_CORE_QUERY_VARIANT_PLUGINS_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"
#include "core/kernels/variant_build.hpp"
#include "core/query/plugin.hpp"

namespace muster {

// Something to build, and who builds it.
struct PlannedVariant {
  const Plugin* plugin;
  DeclaredVariant variant;
};

class VariantPlugins {
 public:
  // Opens those among what was found, also where they have no device to serve.
  VariantPlugins(const std::vector<FoundPlugin>& found, const Config& config, Records& records,
                 const KernelTable* kernels);

  // For these architectures; for those of the devices here when there are none. What could not be
  // asked is added to faults.
  std::vector<PlannedVariant> plan(const std::vector<std::string>& architectures,
                                   std::vector<std::string>& faults) const;

 private:
  bool probed_here_;
  std::vector<std::unique_ptr<Plugin>> plugins_;
};

// Each in a process of its own, as run_builds.
std::vector<BuildOutcome> build_variants(const ImageStore& store,
                                         const std::vector<PlannedVariant>& variants, unsigned jobs,
                                         int stop_fd,
                                         const std::function<void(const BuildOutcome&)>& done);

}  // namespace muster

#endif
