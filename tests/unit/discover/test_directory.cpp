#include "tests/unit/discover/test_directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace muster {

namespace fs = std::filesystem;

std::string built_plugin(const std::string& name) { return MUSTER_TEST_PLUGINS "/" + name + ".so"; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

PluginDirectory::PluginDirectory() {
  std::string name = fs::temp_directory_path() / "muster-discover-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  root = fs::canonical(name);
  plugins = root + "/plugins";
  cache = root + "/cache";
  for (const std::string& folder : {plugins, root + "/trace"}) {
    fs::create_directory(folder);
    fs::permissions(folder, fs::perms::owner_all);
  }
  setenv("MUSTER_TEST_TRACE_DIR", (root + "/trace").c_str(), 1);
  config.plugins_cache_dir.value = cache;
}

PluginDirectory::~PluginDirectory() {
  unsetenv("MUSTER_TEST_TRACE_DIR");
  fs::remove_all(root);
}

std::string PluginDirectory::put(const std::string& built, const std::string& as) {
  const std::string path = plugins + "/" + as;
  fs::copy_file(built_plugin(built), path, fs::copy_options::overwrite_existing);
  fs::permissions(path, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read);
  return path;
}

std::vector<FoundPlugin> PluginDirectory::find(bool probe) {
  DiscoveryInputs inputs;
  inputs.config = &config;
  inputs.directories = {plugins};
  inputs.probe = probe;
  return discover(inputs, records);
}

FoundPlugin PluginDirectory::find_one(bool probe) {
  std::vector<FoundPlugin> found = find(probe);
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? FoundPlugin{} : found.front();
}

size_t PluginDirectory::traces(const std::string& id) const {
  size_t count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(root + "/trace")) {
    if (id.empty() || entry.path().stem() == id) ++count;
  }
  return count;
}

std::string PluginDirectory::recorded(const std::string& subject,
                                      const std::string& verdict) const {
  std::string reason;
  for (const Record& record : records.all()) {
    if (record.subject == subject && record.verdict == verdict) reason = record.reason;
  }
  return reason;
}

}  // namespace muster
