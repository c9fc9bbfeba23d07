// What a run of the suite is about: the plugin, its options, the world. Written to a file by the
// process that runs the cases, read by those that are one.
#ifndef MUSTER_TESTS_KIT_CHECK_SETUP_HPP
#define MUSTER_TESTS_KIT_CHECK_SETUP_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::check {

struct Setup {
  std::string plugin;   // canonical path
  std::string id;       // "" until the file was judged
  std::string command;  // the muster command
  std::string config;   // one more TOML file; "" for none
  std::string root;     // a directory of this run
  bool mpirun = false;  // it brings a bootstrap of its own
  uint32_t ranks = 2;
  uint64_t seed = 0;
  uint64_t limit_ms = 60000;
  uint64_t probe_ms = 5000;
  std::vector<std::pair<std::string, std::string>> options;  // of the backend

  void write() const;
  static Setup read(const std::string& root);
  // Where only the plugin is found.
  std::string plugin_directory() const { return root + "/plugins"; }
};

}  // namespace muster::check

#endif
