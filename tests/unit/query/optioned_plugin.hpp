// A plugin with options of every type, whose table a test may spoil before it is opened.
#ifndef MUSTER_TESTS_UNIT_QUERY_OPTIONED_PLUGIN_HPP
#define MUSTER_TESTS_UNIT_QUERY_OPTIONED_PLUGIN_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/query/plugin.hpp"
#include "muster/plugin.hpp"

namespace muster::testing {

// What the plugin "optioned" does; set by the test, one test at a time.
struct OptionedBehaviour {
  std::function<void(plugin::Facts)> probe;
  std::function<void(plugin::Query)> offer;
  const muster_bootstrap* bootstrap;  // its table of that interface
};
OptionedBehaviour& optioned();

// The table that its entry gives; whole again after every Opening.
muster_backend& optioned_table();

// Discovers and opens it under a configuration, built with a minor.
struct Opening {
  explicit Opening(const std::string& toml = {}, uint32_t abi_minor = MUSTER_ABI_MINOR);
  ~Opening();
  Config config;
  Records records;
  muster_entry entry;
  std::vector<FoundPlugin> found;
  Status status;                   // of opening
  std::unique_ptr<Plugin> plugin;  // NULL when it failed
};

}  // namespace muster::testing

#endif
