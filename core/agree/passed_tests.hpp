// Known-answer tests that earlier processes of this user passed on this node.
//
// A pass is known by all that the answers depend on: the plugin's file and what its probe depends
// on (VerdictCache::identity_of), its options and rules, the size of the group, this build of
// muster and the kernels that it hands out. Only whole passes are kept. A backend
// that failed is tested again, for what was wrong may have been the moment's. A file that cannot be
// read, or is not about the plugin as it is now, counts as none and is written anew. Any thread.
#ifndef MUSTER_CORE_AGREE_PASSED_TESTS_HPP
#define MUSTER_CORE_AGREE_PASSED_TESTS_HPP

#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/discover/cache_directory.hpp"
#include "core/discover/discovery.hpp"
#include "core/query/kernel_table.hpp"
#include "muster/backend.h"

namespace muster {

class PassedTests {
 public:
  // kernels: which ones the runtime hands out (KernelTable::ready).
  explicit PassedTests(const Config& config, const ReadyPacks& kernels = {});

  // Names one test: of a plugin, with options, of rules, in a group of this size.
  std::string key(const FoundPlugin& plugin, const std::map<std::string, std::string>& options,
                  const std::vector<muster_rule>& rules, uint32_t ranks) const;

  bool hold(const FoundPlugin& plugin, const std::string& key) const;
  void add(const FoundPlugin& plugin, const std::string& key) const;
  // The file about a plugin; "" when nothing is kept of it.
  std::string file_of(const FoundPlugin& plugin) const;

 private:
  CacheDirectory directory_;
  std::string kernels_;
};

}  // namespace muster

#endif
