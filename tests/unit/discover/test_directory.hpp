// What the discovery tests share: a directory of their own that is removed, the plugins that were
// built for them, and the traces that opened plugins leave.
#ifndef MUSTER_TESTS_UNIT_DISCOVER_TEST_DIRECTORY_HPP
#define MUSTER_TESTS_UNIT_DISCOVER_TEST_DIRECTORY_HPP

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config.hpp"
#include "core/base/records.hpp"
#include "core/discover/discovery.hpp"

namespace muster {

// The built plugin of a name.
std::string built_plugin(const std::string& name);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

// A directory with the folders plugins, cache and trace; the constructor of an opened plugin leaves
// a file in trace.
class PluginDirectory : public testing::Test {
 protected:
  PluginDirectory();
  ~PluginDirectory() override;

  // Copies a built plugin under a name; returns its path.
  std::string put(const std::string& built, const std::string& as);
  std::string put(const std::string& built) { return put(built, built + ".so"); }
  std::vector<FoundPlugin> find(bool probe = true);
  FoundPlugin find_one(bool probe = true);
  // How many times a plugin of this id was opened, in any process; "" counts all.
  size_t traces(const std::string& id = {}) const;
  // The reason of the last record about a subject with this verdict, "" for none.
  std::string recorded(const std::string& subject, const std::string& verdict) const;

  std::string root;
  std::string plugins;
  std::string cache;
  Config config;
  Records records;
};

}  // namespace muster

#endif
