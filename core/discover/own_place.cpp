#include "core/discover/own_place.hpp"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>

#include "core/discover/discovery.hpp"

namespace muster {

std::string own_file() {
  Dl_info info{};
  link_map* object = nullptr;
  if (dladdr1(reinterpret_cast<const void*>(&own_file), &info, reinterpret_cast<void**>(&object),
              RTLD_DL_LINKMAP) == 0) {
    return {};
  }
  // The main program has no name of its own here; dladdr would give argv[0], which is the caller's
  // choice.
  const bool program = object == nullptr || object->l_name == nullptr || *object->l_name == '\0';
  char* const canonical = realpath(program ? "/proc/self/exe" : object->l_name, nullptr);
  if (canonical == nullptr) return {};
  std::string path = canonical;
  std::free(canonical);
  return path;
}

std::string own_directory() {
  const std::string file = own_file();
  return file.substr(0, file.empty() ? 0 : file.rfind('/'));
}

std::string installed_plugin_directory(const std::string& directory) {
  const std::string installed = directory + "/" MUSTER_PLUGIN_DIR_FROM_BIN;
  for (const std::string& place :
       {directory + "/muster/plugins", installed, directory + "/../lib/muster/plugins"}) {
    if (char* const canonical = realpath(place.c_str(), nullptr)) {
      std::string found = canonical;
      std::free(canonical);
      return found;
    }
  }
  return installed;
}

std::vector<std::string> probe_program_places(const std::string& directory) {
  return {directory + "/" MUSTER_PROBE_FROM_LIB, directory + "/" MUSTER_PROBE_FROM_BIN,
          directory + "/muster-probe", directory + "/../bin/muster-probe"};
}

std::vector<std::string> kernel_source_places(const std::string& directory) {
  return {directory + "/" MUSTER_KERNELS_FROM_LIB, directory + "/" MUSTER_KERNELS_FROM_BIN,
          directory + "/../share/muster/kernels", directory + "/../../share/muster/kernels"};
}

std::vector<std::string> plugin_directories(const Config& config) {
  std::vector<std::string> directories = config.plugins_path.value;
  if (const std::string own = own_directory(); config.plugins_installed.value && !own.empty()) {
    directories.push_back(installed_plugin_directory(own));
  }
  return directories;
}

}  // namespace muster
